enable subgroups;
diagnostic(off, subgroup_uniformity);
alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const REACH = 1u;
const STRIP = 8u;
const LINES = 1u;
const DOWN = false;
const BLOCKS = 1u;
const WIDTH = 4u;
const HEIGHT = 16u;
const QUAD = true;
const SHARED = false;
const CHUNK = 7u;
const UNIFORM = 0u;
const WEIGHTS_BINDING = 2u;
const HALO = false;
const STAGED = false;
const HALF = false;
const GATHER = true;
const POOL = false;
const STAYS = false;
const PACK = false;
const PARTS = false;
const LINEAR = true;
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
const UPSAMPLE = 0u;

// A convolution, 3x3 (REACH 1) or 1x1 (REACH 0), with stride 1, zero padding, bias and epilogue:
//   y[o,i,j] = act1( act0( sum + b[o] ) * m * factor + r )
//   sum = sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i+ky-REACH, j+kx-REACH]
// While reading `x`, the kernel enlarges it (nearest-neighbour) by UPSAMPLE or, if that is 0, by
// the factor in the uniform. The enlarged map is never stored. The bindings and layouts are those
// in conv/store.wgsl or, with PACK (the last layer of a network), those in conv/pack.wgsl.
// conv/weights.wgsl describes the layout of the weights and how weights and pixels are loaded. A
// 1x1 convolution with `act0 = sigmoid` and `m = x` is pixel attention (arXiv 2010.01073, section
// 3.2).
//
// One invocation computes BLOCKS blocks of 4 output channels for LINES strips of STRIP pixels
// (conv/strip.wgsl). With larger BLOCKS, LINES and STRIP, the kernel needs fewer loads but more
// registers. A workgroup has WIDTH x HEIGHT x 1 invocations. They all compute the same BLOCKS
// blocks, which the grid's `z` selects, so they use the same weights. The numbers of channels and
// the epilogue's operations are uniforms, not constants, so that layers share a pipeline. Branching
// on uniforms costs less time than compiling one pipeline per layer.
// The prelude (code that is put before this shader) defines the types E, E4 and E4x4 and the
// constants REACH, UPSAMPLE, STRIP, LINES, DOWN, BLOCKS, WIDTH, HEIGHT, PACK, PARTS, QUAD, SHARED,
// UNIFORM, WEIGHTS_BINDING, HALO, STAGED, CHUNK, HALF, GATHER, POOL and STAYS (STAGED or POOL).
//
// With POOL, a workgroup also sums its results for global average pooling:
//   partials [workgroups along x and y][out_blocks] vec4f

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
  var v = leaky(vec4f(params.slope0), sum);
  if (params.epilogue & 15u) == ACTIVATION_PRELU {
    v = leaky(vec4f(bias[params.out_blocks + block]), sum);
  }
  if (params.epilogue & 256u) != 0u {
    v *= vec4f(multiplier[at]);
  }
  if (params.epilogue & 512u) != 0u {
    v = v * params.factor + vec4f(addend[at]);
  }
  v = leaky(vec4f(params.slope1), v);
  y[at] = E4(v);
  return v;
}

// The products of map values and weights are f32. With HALF, they instead have the type of the maps
// and weights. If that type is f16, GPU hardware can compute two products at a time.
// The prelude (code that is put before this shader) defines E4, E4x4 and HALF.

alias P4 = vec4f;
alias P4x4 = mat4x4f;

// Declares a convolution's weights, and workgroup memory for weights and input pixels. The weights
// are 4 x 4 matrices [out_blocks][in_blocks][taps]. By default, each invocation loads the matrices
// itself, from a storage buffer. With UNIFORM, the matrices are in a uniform buffer. UNIFORM is the
// number of matrices that fit in it. With QUAD, each of the four lanes of a quad loads one column
// of a matrix, and the lanes exchange their columns. With SHARED, the workgroup copies the matrices
// to workgroup memory, CHUNK input blocks at a time. With HALO, the workgroup copies its input
// pixels to workgroup memory, one input block at a time. STAGED means SHARED or HALO. Column `c` of
// a matrix contains the weights of input channel `c` for four output channels, so the product of a
// matrix and a pixel is a sum over input channels. With QUAD, matrices are transposed, so column
// `o` contains the weights of output channel `o`.
// The prelude (code that is put before this shader) defines the types E4 and E4x4 and the constants
// QUAD, UNIFORM, WEIGHTS_BINDING, SHARED, CHUNK, HALO, BLOCKS, REACH, WIDTH, HEIGHT, STRIP, LINES
// and DOWN.

@group(0) @binding(2) var<storage, read> weights: array<E4>;

// Returns the columns `lane`, `lane^1`, `lane^2` and `lane^3` of a matrix. Each lane of the quad
// loads one column. All four lanes must request the same matrix. If `at` is beyond the last
// matrix, the values are arbitrary. This happens only for blocks of output channels that the
// layer does not have, and their results are not stored.
fn load_matrix(at: u32, lane: u32) -> mat4x4f {
  let own = vec4f(weights[at * 4u + lane]);
  let below = quadSwapY(own);
  return mat4x4f(own, quadSwapX(own), below, quadSwapX(below));
}

// Reorders four output channels from their natural order to the order in which `load_matrix`
// returns their columns. The same function also restores the natural order.
fn reorder(v: vec4f, lane: u32) -> vec4f {
  let pairs = select(v, v.yxwz, (lane & 1u) != 0u);
  return select(pairs, pairs.zwxy, (lane & 2u) != 0u);
}

@compute @workgroup_size(WIDTH, HEIGHT, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let col = (group.x * WIDTH + local.x) * STRIP;
  let first_row = ((group.y + params.group_row) * HEIGHT + local.y) * LINES;
  let block = group.z * BLOCKS;
  let lane = subgroup_lane & 3u;
  // With STAYS, all invocations load data for their workgroup or add up its results, so none of
  // them returns early. With QUAD, the four lanes of a quad load weights together, so they must
  // return together. Therefore, they check only the row, which is the same for all four lanes.
  if first_row >= params.height {
    return;
  }
  let upsample = params.upsample;
  let width = params.width;
  let height = params.height;
  let left = col;
  let row = first_row;
  let in_blocks = params.in_blocks;
  let in_width = width / upsample;
  let plane = in_width * (height / upsample);
  let start = left;
  let extent = width;
  let across = row;
  let breadth = height;
  let at0 = min(max(start + 0u, 1u) - 1u, extent - 1u) / upsample;
  let in0 = start + 0u - 1u < extent;
  let at1 = min(max(start + 1u, 1u) - 1u, extent - 1u) / upsample;
  let in1 = start + 1u - 1u < extent;
  let at2 = min(max(start + 2u, 1u) - 1u, extent - 1u) / upsample;
  let in2 = start + 2u - 1u < extent;
  let at3 = min(max(start + 3u, 1u) - 1u, extent - 1u) / upsample;
  let in3 = start + 3u - 1u < extent;
  let at4 = min(max(start + 4u, 1u) - 1u, extent - 1u) / upsample;
  let in4 = start + 4u - 1u < extent;
  let at5 = min(max(start + 5u, 1u) - 1u, extent - 1u) / upsample;
  let in5 = start + 5u - 1u < extent;
  let at6 = min(max(start + 6u, 1u) - 1u, extent - 1u) / upsample;
  let in6 = start + 6u - 1u < extent;
  let at7 = min(max(start + 7u, 1u) - 1u, extent - 1u) / upsample;
  let in7 = start + 7u - 1u < extent;
  let at8 = min(max(start + 8u, 1u) - 1u, extent - 1u) / upsample;
  let in8 = start + 8u - 1u < extent;
  let at9 = min(max(start + 9u, 1u) - 1u, extent - 1u) / upsample;
  let in9 = start + 9u - 1u < extent;

  // In a 1x1 convolution, the bias is added last, as in the reference implementation. The input of
  // a sigmoid gate can be a small sum of large terms, so the order of the additions changes the
  // rounded result.
  let bias0 = reorder(bias_of(block + 0u), lane);
  var s0_0_0 = bias0;
  var s0_0_1 = bias0;
  var s0_0_2 = bias0;
  var s0_0_3 = bias0;
  var s0_0_4 = bias0;
  var s0_0_5 = bias0;
  var s0_0_6 = bias0;
  var s0_0_7 = bias0;
  for (var i = 0u; i < in_blocks; i++) {
    const SIDE = 3u;
    const TAPS = SIDE * SIDE;
    // The distances between the weight matrices of neighbouring taps, along a strip and across
    // strips.
    const ALONG_TAPS = 1u;
    const ACROSS_TAPS = SIDE;
    let base = i * plane;
    for (var k = 0u; k < 3u; k++)
    {
      let in_line = i32(across + k) - 1;
      let inside = in_line >= 0 && in_line < i32(breadth);
      let along = select(0u, u32(in_line), inside) / upsample;
      let line = base + along * in_width;
      let v0 = select(P4(), P4(x[line + at0]), inside && in0);
      let v1 = select(P4(), P4(x[line + at1]), inside && in1);
      let v2 = select(P4(), P4(x[line + at2]), inside && in2);
      let v3 = select(P4(), P4(x[line + at3]), inside && in3);
      let v4 = select(P4(), P4(x[line + at4]), inside && in4);
      let v5 = select(P4(), P4(x[line + at5]), inside && in5);
      let v6 = select(P4(), P4(x[line + at6]), inside && in6);
      let v7 = select(P4(), P4(x[line + at7]), inside && in7);
      let v8 = select(P4(), P4(x[line + at8]), inside && in8);
      let v9 = select(P4(), P4(x[line + at9]), inside && in9);
      {
        let taps = 0 + ((block + 0u) * in_blocks + i) * TAPS + (k - 0u) * ACROSS_TAPS;
        let w0 = load_matrix(taps + 0u * ALONG_TAPS, lane);
        let w1 = load_matrix(taps + 1u * ALONG_TAPS, lane);
        let w2 = load_matrix(taps + 2u * ALONG_TAPS, lane);
        s0_0_0 += v0 * w0;
        s0_0_0 += v1 * w1;
        s0_0_0 += v2 * w2;
        s0_0_1 += v1 * w0;
        s0_0_1 += v2 * w1;
        s0_0_1 += v3 * w2;
        s0_0_2 += v2 * w0;
        s0_0_2 += v3 * w1;
        s0_0_2 += v4 * w2;
        s0_0_3 += v3 * w0;
        s0_0_3 += v4 * w1;
        s0_0_3 += v5 * w2;
        s0_0_4 += v4 * w0;
        s0_0_4 += v5 * w1;
        s0_0_4 += v6 * w2;
        s0_0_5 += v5 * w0;
        s0_0_5 += v6 * w1;
        s0_0_5 += v7 * w2;
        s0_0_6 += v6 * w0;
        s0_0_6 += v7 * w1;
        s0_0_6 += v8 * w2;
        s0_0_7 += v7 * w0;
        s0_0_7 += v8 * w1;
        s0_0_7 += v9 * w2;
      }
    }
  }

  // The epilogue is in a loop, so that it is compiled only once. Each iteration selects one sum
  // with a switch. An array of sums would be slower on real GPUs, because they store an array in
  // memory, not in registers, if its index is a variable. QUAD is for software drivers, which
  // execute all cases of a switch. With such drivers, an array is faster, so QUAD uses one.
  var sums: array<vec4f, BLOCKS * LINES * STRIP>;
  sums[(0u * LINES + 0u) * STRIP + 0u] = s0_0_0;
  sums[(0u * LINES + 0u) * STRIP + 1u] = s0_0_1;
  sums[(0u * LINES + 0u) * STRIP + 2u] = s0_0_2;
  sums[(0u * LINES + 0u) * STRIP + 3u] = s0_0_3;
  sums[(0u * LINES + 0u) * STRIP + 4u] = s0_0_4;
  sums[(0u * LINES + 0u) * STRIP + 5u] = s0_0_5;
  sums[(0u * LINES + 0u) * STRIP + 6u] = s0_0_6;
  sums[(0u * LINES + 0u) * STRIP + 7u] = s0_0_7;
  for (var n = 0u; n < BLOCKS * LINES * STRIP; n++) {
    var sum = reorder(sums[n], lane);
    let b = block + n / (LINES * STRIP);
    let l = n / STRIP % LINES;
    let c = n % STRIP;
    let stored = store_pixel(b, first_row + l, col + c, sum);
  }
}
