enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
enable f16;
alias E = f16;
alias E4 = vec4h;
alias E4x4 = mat4x4h;
const SIDE = 3u;
const UPSAMPLE = 1u;
const M = 16u;
const N = 16u;
const K = 16u;
const SUBGROUP = 32u;
const SUBGROUPS = 4u;
const ROWS = 2u;
const COLUMNS = 3u;
const PARTS = false;
const LINEAR = false;
const SIGMOID = false;
const MULTIPLY = true;
const ADD = true;
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

// The convolution of conv.wgsl, 3x3 (SIDE 3) or 1x1 (SIDE 1), as products of subgroup matrices
// (chromium_experimental_subgroup_matrix):
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-r, x+kx-r] + b[o] ) * m * factor + r ),
//   r = SIDE / 2
// Bindings and epilogue are those of conv/store.wgsl. Maps and weights are f16, sums are f32.
//   weights [chunks][taps][COLUMNS_ALL][K][N]: a chunk is K input channels, a column of blocks is N output
//           channels; both are padded with zeros
//
// A left matrix holds K channels of M neighbouring pixels. A right matrix holds the taps from K
// input to N output channels. Workgroup SUBGROUP x SUBGROUPS x 1. Each subgroup sums ROWS rows of
// 16 pixels for COLUMNS columns of N channels, so a workgroup covers 16 x (SUBGROUPS * ROWS)
// pixels; grid z = COLUMNS columns. For each chunk, the workgroup copies its pixels and their halo
// to workgroup memory, channels innermost. Every tap is then a matrix at another offset. Sums also
// leave through workgroup memory, because the mapping of matrix elements to invocations is
// implementation-defined.
// Prelude: E, E4, SIDE, UPSAMPLE, M, N, K (M divides 16, N and K are multiples of 4), SUBGROUP (its
// exact size), SUBGROUPS, ROWS, COLUMNS.

// Bindings and epilogue of convolutions:
//   y = act1( act0( sum + b[o] ) * m * factor + r )
// m and r are feature maps of the output's shape; either may be absent. With PARTS, x is a
// concatenation, r is one of the five bound maps, and there is no m.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, absent channels zero.
//   x       [in_blocks][h][w], H = h * upsample, W = w * upsample
//   bias    [out_blocks]         (zeros if the layer has none), then the slopes [out_blocks] of a PReLU
//   m, r, y [out_blocks][H][W]
// The code that reads the weights declares them.
//
// Software drivers run every branch of a switch, and one exp() costs them as much as a convolution.
// LINEAR therefore limits both activations to none, ReLU and leaky ReLU, and SIGMOID allows a
// sigmoid as act0. MULTIPLY, ADD and PRELU say what the epilogue may do; the uniform says what it
// does.
// Prelude: PARTS, LINEAR, SIGMOID, MULTIPLY, ADD, PRELU.

// Activations. kernels/activation.ts gives each a number: ACTIVATION_NONE, ACTIVATION_RELU, ...

// The clamp keeps exp() finite on every device. Beyond it the logistic function is 0 or 1 to within
// f32.
fn logistic(v: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0))));
}

// Leaky ReLU. Slope 1 is no activation, slope 0 is ReLU.
fn leaky(slope: vec4f, v: vec4f) -> vec4f {
  return select(v * slope, v, v >= vec4f(0.0));
}

// erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(6.0));
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(v) * (1.0 - series * exp(-a * a));
}

fn activate(id: u32, slope: f32, v: vec4f) -> vec4f {
  switch id {
    case ACTIVATION_LEAKY_RELU: { return leaky(vec4f(slope), v); }
    case ACTIVATION_RELU: { return max(v, vec4f(0.0)); }
    case ACTIVATION_SIGMOID: { return logistic(v); }
    case ACTIVATION_SILU: { return v * logistic(v); }
    case ACTIVATION_GELU: { return 0.5 * v * (1.0 + erf(v * 0.70710678)); }
    // tanh(ln(1 + e^v)) is n / (n + 2) with n = e^v (e^v + 2).
    case ACTIVATION_MISH: {
      let e = exp(min(v, vec4f(20.0)));
      let n = e * (e + 2.0);
      return v * (n / (n + 2.0));
    }
    // tanh keeps its relative precision near zero; 1 / (1 + e) - 0.5 would cancel there.
    case ACTIVATION_CENTRED_SIGMOID: { return 0.5 * tanh(clamp(0.5 * v, vec4f(-20.0), vec4f(20.0))); }
    default: { return v; }
  }
}

struct Params {
  width: u32, // W of the output
  height: u32,      // H
  group_row: u32, // first row of workgroups of this dispatch: large layers run in several dispatches
  in_blocks: u32,
  epilogue: u32, // act0 | act1 << 4 | (m present) << 8 | (r present) << 9 | (index of the part that is r) << 10
  slope0: f32,
  slope1: f32,
  factor: f32,
  out_blocks: u32,
  upsample: u32,
  ends01: u32, // for PARTS: see conv/parts.wgsl
  ends23: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> multiplier: array<E4>;
@group(0) @binding(5) var<storage, read> addend: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

// Blocks beyond the last one get its bias and are not stored.
fn bias_of(block: u32) -> vec4f {
  return vec4f(bias[min(block, params.out_blocks - 1u)]);
}

// Pixels outside the map are dropped.
fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) {
  if row >= params.height || col >= params.width || block >= params.out_blocks {
    return;
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
  y[at] = E4(activate((params.epilogue >> 4u) & 15u, params.slope1, v));
}

@group(0) @binding(2) var<storage, read> weights: array<E>;

const_assert SIDE == 1u || SIDE == 3u;
const_assert 16u % M == 0u && N % 4u == 0u && K % 4u == 0u;

const TAPS = SIDE * SIDE;
const REACH = SIDE / 2u;
const RUNS = 16u / M;
const SPAN = 16u + 2u * REACH;
const SPAN_ROWS = SUBGROUPS * ROWS + 2u * REACH;
const BLOCKS_OF_K = K / 4u;
const SUMS = COLUMNS * ROWS * RUNS;

alias Left = subgroup_matrix_left<E, K, M>;
alias Right = subgroup_matrix_right<E, N, K>;
alias Sums = subgroup_matrix_result<f32, N, M>;

var<workgroup> pixels: array<E, SPAN * SPAN_ROWS * K>;
var<workgroup> leaving: array<f32, SUBGROUPS * M * N>;

@compute @workgroup_size(SUBGROUP, SUBGROUPS, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let left = group.x * 16u;
  let top = (group.y + params.group_row) * SUBGROUPS * ROWS;
  let columns_all = (params.out_blocks * 4u + N - 1u) / N;
  let column = group.z * COLUMNS;
  let chunks = (params.in_blocks + BLOCKS_OF_K - 1u) / BLOCKS_OF_K;
  let w = params.width / UPSAMPLE;
  let plane = w * (params.height / UPSAMPLE);

  var sums: array<Sums, SUMS>;
  for (var chunk = 0u; chunk < chunks; chunk++) {
    workgroupBarrier();
    for (var at = index; at < SPAN * SPAN_ROWS * BLOCKS_OF_K; at += SUBGROUP * SUBGROUPS) {
      let block = chunk * BLOCKS_OF_K + at % BLOCKS_OF_K;
      let pixel = at / BLOCKS_OF_K;
      // Unsigned: positions before the first row or column wrap to beyond the last.
      let row = top + pixel / SPAN - REACH;
      let col = left + pixel % SPAN - REACH;
      let inside = row < params.height && col < params.width && block < params.in_blocks;
      let source = select(0u, block * plane + row / UPSAMPLE * w + col / UPSAMPLE, inside);
      let v = select(E4(), x[source], inside);
      pixels[at * 4u] = v.x;
      pixels[at * 4u + 1u] = v.y;
      pixels[at * 4u + 2u] = v.z;
      pixels[at * 4u + 3u] = v.w;
    }
    workgroupBarrier();
    for (var tap = 0u; tap < TAPS; tap++) {
      var lefts: array<Left, ROWS * RUNS>;
      for (var r = 0u; r < ROWS; r++) {
        let line = (local.y * ROWS + r + tap / SIDE) * SPAN + tap % SIDE;
        for (var run = 0u; run < RUNS; run++) {
          lefts[r * RUNS + run] = subgroupMatrixLoad<Left, row_major>(&pixels, (line + run * M) * K, K);
        }
      }
      for (var c = 0u; c < COLUMNS; c++) {
        // Columns beyond the last one read its weights and are not stored.
        let at = (chunk * TAPS + tap) * columns_all + min(column + c, columns_all - 1u);
        let right = subgroupMatrixLoad<Right, row_major>(&weights, at * K * N, N);
        for (var p = 0u; p < ROWS * RUNS; p++) {
          let s = c * ROWS * RUNS + p;
          sums[s] = subgroupMatrixMultiplyAccumulate(lefts[p], right, sums[s]);
        }
      }
    }
  }

  for (var s = 0u; s < SUMS; s++) {
    workgroupBarrier();
    subgroupMatrixStore<row_major>(&leaving, local.y * M * N, sums[s], N);
    workgroupBarrier();
    let p = s % (ROWS * RUNS);
    let row = top + local.y * ROWS + p / RUNS;
    for (var at = local.x; at < M * N / 4u; at += SUBGROUP) {
      let block = (column + s / (ROWS * RUNS)) * (N / 4u) + at % (N / 4u);
      let first = local.y * M * N + at * 4u;
      let sum = vec4f(leaving[first], leaving[first + 1u], leaving[first + 2u], leaving[first + 3u]);
      store_pixel(block, row, left + p % RUNS * M + at / (N / 4u), sum + bias_of(block));
    }
  }
}
