alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const REACH = 1u;
const STRIP = 8u;
const LINES = 1u;
const DOWN = true;
const BLOCKS = 2u;
const WIDTH = 32u;
const HEIGHT = 2u;
const QUAD = false;
const SHARED = true;
const CHUNK = 3u;
const UNIFORM = 0u;
const WEIGHTS_BINDING = 6u;
const HALO = true;
const STAGED = true;
const HALF = false;
const GATHER = true;
const POOL = false;
const STAYS = true;
const PACK = false;
const PARTS = 5u;
const LINEAR = false;
const SIGMOID = false;
const MULTIPLY = false;
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
const MAPS = 5u;
const UPSAMPLE = 1u;

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
// Reads up to five feature maps as if they were concatenated into one, without storing the
// concatenation. These maps are called parts. Each part has its own binding, and the blocks of all
// parts are numbered consecutively. Each part starts with a new block of 4 channels. For example, a
// part of 6 channels takes two blocks, and the weights for the 2 unused channels are zero. The
// uniform `params` contains the ends of the first four parts, in blocks. `ends01` contains end 0 in
// its low 16 bits and end 1 in its high 16 bits. `ends23` contains ends 2 and 3 in the same way. If
// there are fewer than four parts, each unused end is the total number of blocks.
// The kernel reads at most MAPS maps: at most PARTS parts and, if it is not one of them, an addend.
// Software drivers execute all cases of a switch, so smaller numbers save time.

@group(0) @binding(1) var<storage, read> x0: array<E4>;
@group(0) @binding(2) var<storage, read> x1: array<E4>;
@group(0) @binding(3) var<storage, read> x2: array<E4>;
@group(0) @binding(4) var<storage, read> x3: array<E4>;
@group(0) @binding(5) var<storage, read> x4: array<E4>;

// Returns the index of the part that contains a block of the concatenation. All invocations of a
// workgroup pass the same block, so the result is uniform across the workgroup.
fn part_of(block: u32) -> u32 {
  return u32(block >= (params.ends01 & 0xffffu)) + u32(block >= (params.ends01 >> 16u)) +
    u32(block >= (params.ends23 & 0xffffu)) + u32(block >= (params.ends23 >> 16u));
}

// Returns the index of a block within its part.
fn block_within(part: u32, block: u32) -> u32 {
  switch part {
    case 1u: { return block - (params.ends01 & 0xffffu); }
    case 2u: { return block - (params.ends01 >> 16u); }
    case 3u: { return block - (params.ends23 & 0xffffu); }
    case 4u: { return block - (params.ends23 >> 16u); }
    default: { return block; }
  }
}

fn load_map(part: u32, at: u32) -> vec4f {
  switch part {
    case 1u: { return vec4f(x1[at]); }
    case 2u: { return vec4f(x2[at]); }
    case 3u: { return vec4f(x3[at]); }
    case 4u: { return vec4f(x4[at]); }
    default: { return vec4f(x0[at]); }
  }
}

@group(0) @binding(7) var<storage, read> bias: array<E4>;
@group(0) @binding(8) var<storage, read_write> y: array<E4>;

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
  if (params.epilogue & 512u) != 0u {
    v = v * params.factor + load_map((params.epilogue >> 10u) & 7u, at);
  }
  v = activate((params.epilogue >> 4u) & 15u, params.slope1, v);
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

@group(0) @binding(6) var<storage, read> weights: array<E4x4>;
const SHARED_MATRICES = BLOCKS * CHUNK * (2u * REACH + 1u) * (2u * REACH + 1u);
var<workgroup> shared_weights: array<E4x4, SHARED_MATRICES>;
// Each invocation computes HALO_RIGHT columns and HALO_DOWN rows of pixels. The workgroup reads
// the pixels of all its invocations and REACH more pixels on each side.
const HALO_RIGHT = LINES;
const HALO_DOWN = STRIP;
const HALO_WIDTH = WIDTH * HALO_RIGHT + 2u * REACH;
const HALO_PIXELS = HALO_WIDTH * (HEIGHT * HALO_DOWN + 2u * REACH);
var<workgroup> halo: array<E4, HALO_PIXELS>;

@compute @workgroup_size(WIDTH, HEIGHT, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let col = (group.x * WIDTH + local.x) * LINES;
  let first_row = ((group.y + params.group_row) * HEIGHT + local.y) * STRIP;
  let block = group.z * BLOCKS;
  // With STAYS, all invocations load data for their workgroup or add up its results, so none of
  // them returns early. With QUAD, the four lanes of a quad load weights together, so they must
  // return together. Therefore, they check only the row, which is the same for all four lanes.
  const upsample = UPSAMPLE;
  let width = params.width;
  let height = params.height;
  let left = col;
  let row = first_row;
  let in_blocks = params.in_blocks;
  let in_width = width / upsample;
  let plane = in_width * (height / upsample);
  let start = row;
  let extent = height;
  let across = left;
  let breadth = width;
  let at0 = min(max(start + 0u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in0 = start + 0u - 1u < extent;
  let at1 = min(max(start + 1u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in1 = start + 1u - 1u < extent;
  let at2 = min(max(start + 2u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in2 = start + 2u - 1u < extent;
  let at3 = min(max(start + 3u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in3 = start + 3u - 1u < extent;
  let at4 = min(max(start + 4u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in4 = start + 4u - 1u < extent;
  let at5 = min(max(start + 5u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in5 = start + 5u - 1u < extent;
  let at6 = min(max(start + 6u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in6 = start + 6u - 1u < extent;
  let at7 = min(max(start + 7u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in7 = start + 7u - 1u < extent;
  let at8 = min(max(start + 8u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in8 = start + 8u - 1u < extent;
  let at9 = min(max(start + 9u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in9 = start + 9u - 1u < extent;

  let halo_top = row - local.y * HALO_DOWN - REACH;
  let halo_left = left - local.x * HALO_RIGHT - REACH;
  let halo_at = local.y * HALO_DOWN * HALO_WIDTH + local.x * HALO_RIGHT;

  // In a 1x1 convolution, the bias is added last, as in the reference implementation. The input of
  // a sigmoid gate can be a small sum of large terms, so the order of the additions changes the
  // rounded result.
  let bias0 = bias_of(block + 0u);
  var s0_0_0 = bias0;
  var s0_0_1 = bias0;
  var s0_0_2 = bias0;
  var s0_0_3 = bias0;
  var s0_0_4 = bias0;
  var s0_0_5 = bias0;
  var s0_0_6 = bias0;
  var s0_0_7 = bias0;
  let bias1 = bias_of(block + 1u);
  var s1_0_0 = bias1;
  var s1_0_1 = bias1;
  var s1_0_2 = bias1;
  var s1_0_3 = bias1;
  var s1_0_4 = bias1;
  var s1_0_5 = bias1;
  var s1_0_6 = bias1;
  var s1_0_7 = bias1;
  for (var i = 0u; i < in_blocks; i++) {
    const SIDE = 3u;
    const TAPS = SIDE * SIDE;
    // The distances between the weight matrices of neighbouring taps, along a strip and across
    // strips.
    const ALONG_TAPS = SIDE;
    const ACROSS_TAPS = 1u;
    let part = part_of(i);
    let base = block_within(part, i) * plane;
    workgroupBarrier();
    for (var p = index; p < HALO_PIXELS; p += WIDTH * HEIGHT) {
      // Row and column indices wrap around to huge numbers above the map and left of it, so
      // `halo_inside` is false there.
      let halo_row = halo_top + p / HALO_WIDTH;
      let halo_col = halo_left + p % HALO_WIDTH;
      let halo_inside = halo_row < height && halo_col < width;
      let halo_source = base + select(0u, halo_row / upsample * in_width + halo_col / upsample, halo_inside);
      halo[p] = select(E4(), E4(load_map(part, halo_source)), halo_inside);
    }
    if i % CHUNK == 0u {
      for (var m = index; m < SHARED_MATRICES; m += WIDTH * HEIGHT) {
        let source = ((block + m / (CHUNK * TAPS)) * in_blocks + i) * TAPS + m % (CHUNK * TAPS);
        shared_weights[m] = weights[source];
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < 3u; k++)
    {
      let v0 = P4(halo[halo_at + 0u * HALO_WIDTH + k]);
      let v1 = P4(halo[halo_at + 1u * HALO_WIDTH + k]);
      let v2 = P4(halo[halo_at + 2u * HALO_WIDTH + k]);
      let v3 = P4(halo[halo_at + 3u * HALO_WIDTH + k]);
      let v4 = P4(halo[halo_at + 4u * HALO_WIDTH + k]);
      let v5 = P4(halo[halo_at + 5u * HALO_WIDTH + k]);
      let v6 = P4(halo[halo_at + 6u * HALO_WIDTH + k]);
      let v7 = P4(halo[halo_at + 7u * HALO_WIDTH + k]);
      let v8 = P4(halo[halo_at + 8u * HALO_WIDTH + k]);
      let v9 = P4(halo[halo_at + 9u * HALO_WIDTH + k]);
      {
        let taps = (0u * CHUNK + i % CHUNK) * TAPS + (k - 0u) * ACROSS_TAPS;
        let w0 = P4x4(shared_weights[taps + 0u * ALONG_TAPS]);
        let w1 = P4x4(shared_weights[taps + 1u * ALONG_TAPS]);
        let w2 = P4x4(shared_weights[taps + 2u * ALONG_TAPS]);
        s0_0_0 += w0 * v0;
        s0_0_0 += w1 * v1;
        s0_0_0 += w2 * v2;
        s0_0_1 += w0 * v1;
        s0_0_1 += w1 * v2;
        s0_0_1 += w2 * v3;
        s0_0_2 += w0 * v2;
        s0_0_2 += w1 * v3;
        s0_0_2 += w2 * v4;
        s0_0_3 += w0 * v3;
        s0_0_3 += w1 * v4;
        s0_0_3 += w2 * v5;
        s0_0_4 += w0 * v4;
        s0_0_4 += w1 * v5;
        s0_0_4 += w2 * v6;
        s0_0_5 += w0 * v5;
        s0_0_5 += w1 * v6;
        s0_0_5 += w2 * v7;
        s0_0_6 += w0 * v6;
        s0_0_6 += w1 * v7;
        s0_0_6 += w2 * v8;
        s0_0_7 += w0 * v7;
        s0_0_7 += w1 * v8;
        s0_0_7 += w2 * v9;
      }
      {
        let taps = (1u * CHUNK + i % CHUNK) * TAPS + (k - 0u) * ACROSS_TAPS;
        let w0 = P4x4(shared_weights[taps + 0u * ALONG_TAPS]);
        let w1 = P4x4(shared_weights[taps + 1u * ALONG_TAPS]);
        let w2 = P4x4(shared_weights[taps + 2u * ALONG_TAPS]);
        s1_0_0 += w0 * v0;
        s1_0_0 += w1 * v1;
        s1_0_0 += w2 * v2;
        s1_0_1 += w0 * v1;
        s1_0_1 += w1 * v2;
        s1_0_1 += w2 * v3;
        s1_0_2 += w0 * v2;
        s1_0_2 += w1 * v3;
        s1_0_2 += w2 * v4;
        s1_0_3 += w0 * v3;
        s1_0_3 += w1 * v4;
        s1_0_3 += w2 * v5;
        s1_0_4 += w0 * v4;
        s1_0_4 += w1 * v5;
        s1_0_4 += w2 * v6;
        s1_0_5 += w0 * v5;
        s1_0_5 += w1 * v6;
        s1_0_5 += w2 * v7;
        s1_0_6 += w0 * v6;
        s1_0_6 += w1 * v7;
        s1_0_6 += w2 * v8;
        s1_0_7 += w0 * v7;
        s1_0_7 += w1 * v8;
        s1_0_7 += w2 * v9;
      }
    }
  }

  // The epilogue is in a loop, so that it is compiled only once. Each iteration selects one sum
  // with a switch. An array of sums would be slower on real GPUs, because they store an array in
  // memory, not in registers, if its index is a variable. QUAD is for software drivers, which
  // execute all cases of a switch. With such drivers, an array is faster, so QUAD uses one.
  for (var n = 0u; n < BLOCKS * LINES * STRIP; n++) {
    var sum: vec4f;
    switch n {
      case (0u * LINES + 0u) * STRIP + 0u: { sum = s0_0_0; }
      case (0u * LINES + 0u) * STRIP + 1u: { sum = s0_0_1; }
      case (0u * LINES + 0u) * STRIP + 2u: { sum = s0_0_2; }
      case (0u * LINES + 0u) * STRIP + 3u: { sum = s0_0_3; }
      case (0u * LINES + 0u) * STRIP + 4u: { sum = s0_0_4; }
      case (0u * LINES + 0u) * STRIP + 5u: { sum = s0_0_5; }
      case (0u * LINES + 0u) * STRIP + 6u: { sum = s0_0_6; }
      case (0u * LINES + 0u) * STRIP + 7u: { sum = s0_0_7; }
      case (1u * LINES + 0u) * STRIP + 0u: { sum = s1_0_0; }
      case (1u * LINES + 0u) * STRIP + 1u: { sum = s1_0_1; }
      case (1u * LINES + 0u) * STRIP + 2u: { sum = s1_0_2; }
      case (1u * LINES + 0u) * STRIP + 3u: { sum = s1_0_3; }
      case (1u * LINES + 0u) * STRIP + 4u: { sum = s1_0_4; }
      case (1u * LINES + 0u) * STRIP + 5u: { sum = s1_0_5; }
      case (1u * LINES + 0u) * STRIP + 6u: { sum = s1_0_6; }
      case (1u * LINES + 0u) * STRIP + 7u: { sum = s1_0_7; }
      default: {}
    }
    let b = block + n / (LINES * STRIP);
    let l = n / STRIP % LINES;
    let c = n % STRIP;
    let stored = store_pixel(b, first_row + c, col + l, sum);
  }
}
