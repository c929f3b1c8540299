enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const SIDE = 3u;
const UPSAMPLE = 1u;
const M = 16u;
const N = 8u;
const K = 16u;
const REST = 8u;
const SUBGROUP = 32u;
const SUBGROUPS = 2u;
const FRAGMENTS = 4u;
const COLUMNS = 5u;
const CHUNKS = 1u;
const QUADS = 10u;
const PITCH = 10u;
const RUNS = 1u;
const STEPS = 7u;
const GOES = 2u;
const GO_FRAGMENTS = 2u;
const PARTS = false;
const LINEAR = false;
const SIGMOID = false;
const MULTIPLY = true;
const ADD = true;
const MIX = false;
const PRELU = true;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;

// The same convolution as in conv.wgsl, 3x3 (SIDE 3) or 1x1 (SIDE 1), computed with subgroup matrix
// products (chromium_experimental_subgroup_matrix):
//   y[o,i,j] = act1( act0( sum + b[o] ) * m * factor + r )
//   sum = sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i+ky-SIDE/2, j+kx-SIDE/2]
// The bindings and the epilogue are those in conv/store.wgsl. Maps and weights are f16, and sums
// are f32.
//
// A subgroup computes COLUMNS * N output channels of 16 x 4 pixels. It divides the pixels into
// FRAGMENTS fragments of M pixels, and the channels into COLUMNS columns of N channels. A workgroup
// has SUBGROUP x SUBGROUPS x 1 invocations and computes 16 x (4 * SUBGROUPS) pixels. The grid's z
// dimension divides the output channels among workgroups.
//
// The input channels are processed in chunks of 4 * QUADS channels. For each chunk, the workgroup
// first copies its pixels, and REACH more pixels on each side, to workgroup memory. In this copy,
// the channels of a pixel are consecutive, and adjacent pixels are PITCH vectors apart. This
// distance is an odd multiple of 16 bytes, so adjacent pixels are in different memory banks.
//
// For each output pixel, each row of the convolution's kernel covers SIDE adjacent input pixels. If
// there is no padding between them, their values form a single run (RUNS is 1). Otherwise, each
// pixel is a run of its own (RUNS is SIDE). A run is processed in STEPS steps of K values and, if
// REST is not 0, a last step of REST values. Each step multiplies left matrices (K values of the
// run for each of M adjacent output pixels) by right matrices (K x N weights).
//
//   weights [grid z][chunks][SIDE][RUNS][steps][COLUMNS][K or REST][N], in the order of use
// The prelude (code that is put before this shader) defines the types E and E4 and the constants
// SIDE, UPSAMPLE (0: the uniform's factor), M, N, K, REST (0: none), SUBGROUP (the exact subgroup
// size), SUBGROUPS, FRAGMENTS, COLUMNS, CHUNKS, QUADS, PITCH, RUNS, STEPS, GOES and GO_FRAGMENTS.

// The bindings and the epilogue of convolutions:
//   y = act1( act0( sum + b[o] ) * m * factor + r ) or, with MIX,
//   y = act1( act0( sum + b[o] ) * m[own] + r * m[1 - own] )    (arXiv 2104.09497, eq. 5)
// `m` and `r` are feature maps with the output's shape. Either can be absent. With MIX, `m` is a
// vector of two weights, and `own` is the index of the weight for the result of `act0`. With PARTS,
// `x` is the concatenation of several feature maps, and `m` is absent. The shader then reads up to
// five maps: the parts of `x`, and `r` if it is not one of these parts.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, with zeros in absent channels.
//   x       [in_blocks][h][w], H = h * upsample, W = w * upsample
//   bias    [out_blocks], zeros if the layer has no bias, then the slopes of a PReLU, [out_blocks]
//   m, r, y [out_blocks][H][W]
// The weights are declared elsewhere, in conv/weights.wgsl and conv/matrix.wgsl.
//
// `activate` selects an activation with a switch. Drivers that emulate a GPU on the CPU execute
// every branch of a switch, and one `exp()` can cost them as much time as the convolution itself.
// LINEAR therefore replaces `activate` with a leaky ReLU, whose slope can also make it a ReLU or
// the identity. SIGMOID replaces `activate` with a sigmoid, but only for `act0`. MULTIPLY, ADD and
// PRELU each add the code of one operation to the epilogue. A layer runs only the operations
// selected by the field `epilogue` of its uniform.
// The prelude (code that is put before this shader) defines PARTS, LINEAR, SIGMOID, MULTIPLY, ADD,
// MIX and PRELU.

// Activation functions. kernels/activation.ts assigns a number to each function: ACTIVATION_NONE,
// ACTIVATION_RELU, ...

// Returns NaN where `v` is NaN, otherwise `result`, which was computed from `v`. This is needed
// because `max`, `min`, `clamp` and comparisons can drop NaN. The function tests the bits, because
// a compiler may assume that floats are finite.
fn keep_nan(v: vec4f, result: vec4f) -> vec4f {
  return select(result, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

// The clamp keeps `exp()` finite on every device. Beyond the clamp's limits, the logistic function
// differs from 0 or 1 by less than 2e-35.
fn logistic(v: vec4f) -> vec4f {
  return keep_nan(v, 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0)))));
}

// A leaky ReLU. With slope 1, it is the identity. With slope 0, it is a ReLU. NaN stays NaN,
// because `NaN < 0` is false.
fn leaky(slope: vec4f, v: vec4f) -> vec4f {
  return select(v, v * slope, v < vec4f(0.0));
}

fn relu(v: vec4f) -> vec4f {
  return keep_nan(v, max(v, vec4f(0.0)));
}

// Computes `erf(v)` with an error of at most 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(6.0));
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(v) * (1.0 - series * exp(-a * a));
}

fn activate(id: u32, slope: f32, v: vec4f) -> vec4f {
  switch id {
    case ACTIVATION_LEAKY_RELU: { return leaky(vec4f(slope), v); }
    case ACTIVATION_RELU: { return relu(v); }
    case ACTIVATION_SIGMOID: { return logistic(v); }
    case ACTIVATION_SILU: { return v * logistic(v); }
    case ACTIVATION_GELU: { return 0.5 * v * (1.0 + erf(v * 0.70710678)); }
    // `tanh(ln(1 + e^v))` is `n / (n + 2)` with `n = e^v * (e^v + 2)`.
    case ACTIVATION_MISH: {
      let e = exp(min(v, vec4f(20.0)));
      let n = e * (e + 2.0);
      return v * (n / (n + 2.0));
    }
    // Near zero, `tanh` stays precise, but the equivalent `1 / (1 + exp(-v)) - 0.5` would not.
    case ACTIVATION_CENTRED_SIGMOID: { return keep_nan(v, 0.5 * tanh(clamp(0.5 * v, vec4f(-20.0), vec4f(20.0)))); }
    default: { return v; }
  }
}

struct Params {
  width: u32, // The output's width, `W`.
  height: u32,      // The output's height, `H`.
  group_row: u32, // The first row of workgroups in this dispatch. Large layers take several dispatches.
  in_blocks: u32,
  epilogue: u32, // Bits 0-3: `act0`. 4-7: `act1`. 8: has `m`. 9: has `r`. 10 and up: `own` (MIX) or index of `r` (PARTS).
  slope0: f32,
  slope1: f32,
  factor: f32,
  out_blocks: u32,
  upsample: u32,
  ends01: u32, // Used only with PARTS (see conv/parts.wgsl).
  ends23: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> multiplier: array<E4>;
@group(0) @binding(5) var<storage, read> addend: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

// Returns the bias of a block. Blocks beyond the last one get the last block's bias, but their
// results are not stored.
fn bias_of(block: u32) -> vec4f {
  return vec4f(bias[min(block, params.out_blocks - 1u)]);
}

// Applies the epilogue to the sum for one pixel, stores the result and returns it. Pixels outside
// the map are dropped.
fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) -> vec4f {
  if row >= params.height || col >= params.width || block >= params.out_blocks {
    return vec4f(0.0);
  }
  let at = (block * params.height + row) * params.width + col;
  var v = activate(params.epilogue & 15u, params.slope0, sum);
  if (params.epilogue & 15u) == ACTIVATION_PRELU {
    v = leaky(vec4f(bias[params.out_blocks + block]), sum);
  }
  if (params.epilogue & 256u) != 0u {
    v *= vec4f(multiplier[at]);
  }
  if (params.epilogue & 512u) != 0u {
    v = v * params.factor + vec4f(addend[at]);
  }
  v = activate((params.epilogue >> 4u) & 15u, params.slope1, v);
  y[at] = E4(v);
  return v;
}

@group(0) @binding(2) var<storage, read> weights: array<E>;

const REACH = SIDE / 2u;
const SPAN = 16u + 2u * REACH;
const SPAN_PIXELS = SPAN * (SUBGROUPS * 4u + 2u * REACH);
const STEP = COLUMNS * K * N;
const LAST_STEP = COLUMNS * REST * N;
// A subgroup writes its sums to workgroup memory (`leaving`), where each invocation can read the
// sums of any pixel. Invocations cannot read the sums from the matrices, because the mapping of
// matrix elements to invocations is implementation-defined. To save memory, the sums can be written
// in two passes (GOES is 2), each with GO_FRAGMENTS fragments. One vector of padding after each
// pixel's sums avoids bank conflicts.
const GO_PIXELS = GO_FRAGMENTS * M;
const WIDE = COLUMNS * N / 4u + 1u;

alias Left = subgroup_matrix_left<E, K, M>;
alias Right = subgroup_matrix_right<E, N, K>;
alias LastLeft = subgroup_matrix_left<E, REST, M>;
alias LastRight = subgroup_matrix_right<E, N, REST>;
alias Sums = subgroup_matrix_result<f32, N, M>;

// The last left matrix of a run can extend past the run's end, so the array has K extra values
// after the last pixel. The weights that multiply values past a run's end are zero.
var<workgroup> pixels: array<E4, SPAN_PIXELS * PITCH + K / 4u>;
var<workgroup> leaving: array<vec4f, SUBGROUPS * GO_PIXELS * WIDE>;

@compute @workgroup_size(SUBGROUP, SUBGROUPS, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let left = group.x * 16u;
  let top = (group.y + params.group_row) * SUBGROUPS * 4u;
  const upsample = UPSAMPLE;
  let w = params.width / upsample;
  let plane = w * (params.height / upsample);

  var s0_0: Sums;
  var s0_1: Sums;
  var s0_2: Sums;
  var s0_3: Sums;
  var s0_4: Sums;
  var s1_0: Sums;
  var s1_1: Sums;
  var s1_2: Sums;
  var s1_3: Sums;
  var s1_4: Sums;
  var s2_0: Sums;
  var s2_1: Sums;
  var s2_2: Sums;
  var s2_3: Sums;
  var s2_4: Sums;
  var s3_0: Sums;
  var s3_1: Sums;
  var s3_2: Sums;
  var s3_3: Sums;
  var s3_4: Sums;
  var at = group.z * CHUNKS * SIDE * RUNS * (STEPS * STEP + LAST_STEP);
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    workgroupBarrier();
    for (var n = index; n < SPAN_PIXELS * QUADS; n += SUBGROUP * SUBGROUPS) {
      let quad = n / SPAN_PIXELS;
      let pixel = n % SPAN_PIXELS;
      let block = chunk * QUADS + quad;
      // Row and column indices wrap around to huge numbers above the map and left of it, so
      // `inside` is false there.
      let row = top + pixel / SPAN - REACH;
      let col = left + pixel % SPAN - REACH;
      let inside = row < params.height && col < params.width && block < params.in_blocks;
      let source = select(0u, block * plane + row / upsample * w + col / upsample, inside);
      pixels[pixel * PITCH + quad] = select(E4(), x[source], inside);
    }
    workgroupBarrier();
    for (var ky = 0u; ky < SIDE; ky++) {
      for (var run = 0u; run < RUNS; run++) {
        let first = ((local.y * 4u + ky) * SPAN + run) * PITCH;
        for (var step = 0u; step < STEPS; step++) {
          let r0 = subgroupMatrixLoad<Right, row_major>(&weights, at + 0u * K * N, N);
          let r1 = subgroupMatrixLoad<Right, row_major>(&weights, at + 1u * K * N, N);
          let r2 = subgroupMatrixLoad<Right, row_major>(&weights, at + 2u * K * N, N);
          let r3 = subgroupMatrixLoad<Right, row_major>(&weights, at + 3u * K * N, N);
          let r4 = subgroupMatrixLoad<Right, row_major>(&weights, at + 4u * K * N, N);
          at += STEP;
          let l0 = subgroupMatrixLoad<Left, row_major>(&pixels, first + (0u * M / 16u * SPAN + 0u * M % 16u) * PITCH + step * K / 4u, PITCH);
          s0_0 = subgroupMatrixMultiplyAccumulate(l0, r0, s0_0);
          s0_1 = subgroupMatrixMultiplyAccumulate(l0, r1, s0_1);
          s0_2 = subgroupMatrixMultiplyAccumulate(l0, r2, s0_2);
          s0_3 = subgroupMatrixMultiplyAccumulate(l0, r3, s0_3);
          s0_4 = subgroupMatrixMultiplyAccumulate(l0, r4, s0_4);
          let l1 = subgroupMatrixLoad<Left, row_major>(&pixels, first + (1u * M / 16u * SPAN + 1u * M % 16u) * PITCH + step * K / 4u, PITCH);
          s1_0 = subgroupMatrixMultiplyAccumulate(l1, r0, s1_0);
          s1_1 = subgroupMatrixMultiplyAccumulate(l1, r1, s1_1);
          s1_2 = subgroupMatrixMultiplyAccumulate(l1, r2, s1_2);
          s1_3 = subgroupMatrixMultiplyAccumulate(l1, r3, s1_3);
          s1_4 = subgroupMatrixMultiplyAccumulate(l1, r4, s1_4);
          let l2 = subgroupMatrixLoad<Left, row_major>(&pixels, first + (2u * M / 16u * SPAN + 2u * M % 16u) * PITCH + step * K / 4u, PITCH);
          s2_0 = subgroupMatrixMultiplyAccumulate(l2, r0, s2_0);
          s2_1 = subgroupMatrixMultiplyAccumulate(l2, r1, s2_1);
          s2_2 = subgroupMatrixMultiplyAccumulate(l2, r2, s2_2);
          s2_3 = subgroupMatrixMultiplyAccumulate(l2, r3, s2_3);
          s2_4 = subgroupMatrixMultiplyAccumulate(l2, r4, s2_4);
          let l3 = subgroupMatrixLoad<Left, row_major>(&pixels, first + (3u * M / 16u * SPAN + 3u * M % 16u) * PITCH + step * K / 4u, PITCH);
          s3_0 = subgroupMatrixMultiplyAccumulate(l3, r0, s3_0);
          s3_1 = subgroupMatrixMultiplyAccumulate(l3, r1, s3_1);
          s3_2 = subgroupMatrixMultiplyAccumulate(l3, r2, s3_2);
          s3_3 = subgroupMatrixMultiplyAccumulate(l3, r3, s3_3);
          s3_4 = subgroupMatrixMultiplyAccumulate(l3, r4, s3_4);
        }
        let last_r0 = subgroupMatrixLoad<LastRight, row_major>(&weights, at + 0u * REST * N, N);
        let last_r1 = subgroupMatrixLoad<LastRight, row_major>(&weights, at + 1u * REST * N, N);
        let last_r2 = subgroupMatrixLoad<LastRight, row_major>(&weights, at + 2u * REST * N, N);
        let last_r3 = subgroupMatrixLoad<LastRight, row_major>(&weights, at + 3u * REST * N, N);
        let last_r4 = subgroupMatrixLoad<LastRight, row_major>(&weights, at + 4u * REST * N, N);
        at += LAST_STEP;
        let last_l0 = subgroupMatrixLoad<LastLeft, row_major>(&pixels, first + (0u * M / 16u * SPAN + 0u * M % 16u) * PITCH + STEPS * K / 4u, PITCH);
        s0_0 = subgroupMatrixMultiplyAccumulate(last_l0, last_r0, s0_0);
        s0_1 = subgroupMatrixMultiplyAccumulate(last_l0, last_r1, s0_1);
        s0_2 = subgroupMatrixMultiplyAccumulate(last_l0, last_r2, s0_2);
        s0_3 = subgroupMatrixMultiplyAccumulate(last_l0, last_r3, s0_3);
        s0_4 = subgroupMatrixMultiplyAccumulate(last_l0, last_r4, s0_4);
        let last_l1 = subgroupMatrixLoad<LastLeft, row_major>(&pixels, first + (1u * M / 16u * SPAN + 1u * M % 16u) * PITCH + STEPS * K / 4u, PITCH);
        s1_0 = subgroupMatrixMultiplyAccumulate(last_l1, last_r0, s1_0);
        s1_1 = subgroupMatrixMultiplyAccumulate(last_l1, last_r1, s1_1);
        s1_2 = subgroupMatrixMultiplyAccumulate(last_l1, last_r2, s1_2);
        s1_3 = subgroupMatrixMultiplyAccumulate(last_l1, last_r3, s1_3);
        s1_4 = subgroupMatrixMultiplyAccumulate(last_l1, last_r4, s1_4);
        let last_l2 = subgroupMatrixLoad<LastLeft, row_major>(&pixels, first + (2u * M / 16u * SPAN + 2u * M % 16u) * PITCH + STEPS * K / 4u, PITCH);
        s2_0 = subgroupMatrixMultiplyAccumulate(last_l2, last_r0, s2_0);
        s2_1 = subgroupMatrixMultiplyAccumulate(last_l2, last_r1, s2_1);
        s2_2 = subgroupMatrixMultiplyAccumulate(last_l2, last_r2, s2_2);
        s2_3 = subgroupMatrixMultiplyAccumulate(last_l2, last_r3, s2_3);
        s2_4 = subgroupMatrixMultiplyAccumulate(last_l2, last_r4, s2_4);
        let last_l3 = subgroupMatrixLoad<LastLeft, row_major>(&pixels, first + (3u * M / 16u * SPAN + 3u * M % 16u) * PITCH + STEPS * K / 4u, PITCH);
        s3_0 = subgroupMatrixMultiplyAccumulate(last_l3, last_r0, s3_0);
        s3_1 = subgroupMatrixMultiplyAccumulate(last_l3, last_r1, s3_1);
        s3_2 = subgroupMatrixMultiplyAccumulate(last_l3, last_r2, s3_2);
        s3_3 = subgroupMatrixMultiplyAccumulate(last_l3, last_r3, s3_3);
        s3_4 = subgroupMatrixMultiplyAccumulate(last_l3, last_r4, s3_4);
      }
    }
  }

  workgroupBarrier();
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 0u * N / 4u, s0_0, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 1u * N / 4u, s0_1, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 2u * N / 4u, s0_2, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 3u * N / 4u, s0_3, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 4u * N / 4u, s0_4, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 0u * N / 4u, s1_0, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 1u * N / 4u, s1_1, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 2u * N / 4u, s1_2, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 3u * N / 4u, s1_3, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 4u * N / 4u, s1_4, WIDE);
  workgroupBarrier();
  for (var n = local.x; n < GO_PIXELS * (WIDE - 1u); n += SUBGROUP) {
    let pixel = n % GO_PIXELS;
    let column = n / GO_PIXELS;
    let sum = leaving[(local.y * GO_PIXELS + pixel) * WIDE + column];
    let block = group.z * (WIDE - 1u) + column;
    let place = 0u * M + pixel;
    store_pixel(block, top + local.y * 4u + place / 16u, left + place % 16u, sum + bias_of(block));
  }

  workgroupBarrier();
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 0u * N / 4u, s2_0, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 1u * N / 4u, s2_1, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 2u * N / 4u, s2_2, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 3u * N / 4u, s2_3, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 0u * M) * WIDE + 4u * N / 4u, s2_4, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 0u * N / 4u, s3_0, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 1u * N / 4u, s3_1, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 2u * N / 4u, s3_2, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 3u * N / 4u, s3_3, WIDE);
  subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + 1u * M) * WIDE + 4u * N / 4u, s3_4, WIDE);
  workgroupBarrier();
  for (var n = local.x; n < GO_PIXELS * (WIDE - 1u); n += SUBGROUP) {
    let pixel = n % GO_PIXELS;
    let column = n / GO_PIXELS;
    let sum = leaving[(local.y * GO_PIXELS + pixel) * WIDE + column];
    let block = group.z * (WIDE - 1u) + column;
    let place = 2u * M + pixel;
    store_pixel(block, top + local.y * 4u + place / 16u, left + place % 16u, sum + bias_of(block));
  }

}
