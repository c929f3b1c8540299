enable f16;
alias E = f16;
alias E4 = vec4h;
alias E4x4 = mat4x4h;
const REACH = 1u;
const STRIP = 8u;
const LINES = 1u;
const DOWN = true;
const BLOCKS = 1u;
const WIDTH = 32u;
const HEIGHT = 4u;
const QUAD = false;
const SHARED = false;
const CHUNK = 7u;
const UNIFORM = 0u;
const WEIGHTS_BINDING = 2u;
const HALO = false;
const STAGED = false;
const HALF = false;
const GATHER = false;
const POOL = false;
const STAYS = false;
const PACK = true;
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
const UPSAMPLE = 1u;
const IN_BLOCKS = 6u;
const SCALE = 2u;
const RANGE = 1.0f;

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

// The bindings and epilogue of conv.wgsl for a network's last layer. This layer is a 3x3
// convolution to RGB. It adds the bilinear skip connection and stores the sum as 8-bit RGBA:
//   image = round(clamp((w * x + b + bilinear(lr)) * 255 / RANGE, 0, 255)).
// The convolution has zero padding. The bilinear enlargement has half-pixel centres and clamped
// edges. Ties round to even.
//
//   x       [IN_BLOCKS][H][W] vectors of 4 channels (Chw4c), H = h * SCALE, W = w * SCALE
//   weights [1][IN_BLOCKS][9] mat4x4, column c = input channel c
//   bias    [1]
//   lr      [1][h][w]: red, green, blue, alpha in 0..RANGE. The convolution computes only red,
//           green and blue. The output's alpha is the bilinearly enlarged alpha of `lr`.
//   image   [height][width] u32, red in the lowest byte: a rectangle of the output, with its top
//           left pixel at (col0, row0).
//   status  [2] u32.
// The kernel sets `status[0]` to 1 if any value is NaN or infinite. Each workgroup adds `mark` to
// `status[1]`, so that the CPU can check whether all workgroups ran.
// The prelude (code that is put before this shader) defines the type E4 and the constants
// IN_BLOCKS, SCALE and RANGE.

struct Params {
  width: u32,       // The width of the rectangle.
  height: u32,
  group_row: u32,
  map_width: u32,   // The map's width, `W`.
  map_height: u32,  // The map's height, `H`.
  col0: u32,
  row0: u32,
  mark: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> lr: array<E4>;
@group(0) @binding(5) var<storage, read_write> image: array<u32>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>, 2>;

fn bias_of(block: u32) -> vec4f {
  return vec4f(bias[block]);
}

fn skip(row: u32, col: u32) -> vec4f {
  let w = params.map_width / SCALE;
  let h = params.map_height / SCALE;
  let s = max((vec2f(f32(col), f32(row)) + 0.5) / f32(SCALE) - 0.5, vec2f(0.0));
  let lo = vec2u(s);
  let hi = min(lo + 1u, vec2u(w - 1u, h - 1u));
  let f = s - vec2f(lo);
  let upper = mix(vec4f(lr[lo.y * w + lo.x]), vec4f(lr[lo.y * w + hi.x]), f.x);
  let lower = mix(vec4f(lr[hi.y * w + lo.x]), vec4f(lr[hi.y * w + hi.x]), f.x);
  return mix(upper, lower, f.y);
}

// Stores one pixel. `block` is not used, because there is only one block of output channels. Pixels
// outside the rectangle are dropped.
fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) -> vec4f {
  if row >= params.height || col >= params.width {
    return vec4f(0.0);
  }
  let v = sum + skip(row + params.row0, col + params.col0);
  // NaN and infinity are recognised by their exponent bits, because a compiler may assume that all
  // floats are finite.
  let exponents = bitcast<vec4u>(v) & vec4u(0x7f800000u);
  if any(exponents == vec4u(0x7f800000u)) {
    atomicStore(&status[0], 1u);
  }
  let bytes = vec4u(round(clamp(v * (255.0 / RANGE), vec4f(0.0), vec4f(255.0))));
  image[row * params.width + col] =
    bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
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

@group(0) @binding(2) var<storage, read> weights: array<E4x4>;

@compute @workgroup_size(WIDTH, HEIGHT, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let col = (group.x * WIDTH + local.x) * LINES;
  let first_row = ((group.y + params.group_row) * HEIGHT + local.y) * STRIP;
  let block = group.z * BLOCKS;
  // With STAYS, all invocations load data for their workgroup or add up its results, so none of
  // them returns early. With QUAD, the four lanes of a quad load weights together, so they must
  // return together. Therefore, they check only the row, which is the same for all four lanes.
  if first_row >= params.height {
    return;
  }
  if col >= params.width {
    return;
  }
  const upsample = UPSAMPLE;
  let width = params.map_width;
  let height = params.map_height;
  let left = col + params.col0;
  let row = first_row + params.row0;
  const in_blocks = IN_BLOCKS;
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
  for (var i = 0u; i < in_blocks; i++) {
    const SIDE = 3u;
    const TAPS = SIDE * SIDE;
    // The distances between the weight matrices of neighbouring taps, along a strip and across
    // strips.
    const ALONG_TAPS = SIDE;
    const ACROSS_TAPS = 1u;
    let base = i * plane;
    for (var k = 0u; k < 3u; k++)
    {
      let in_line = i32(across + k) - 1;
      let inside = in_line >= 0 && in_line < i32(breadth);
      let along = select(0u, u32(in_line), inside) / upsample;
      let line = base + along;
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
        let w0 = P4x4(weights[taps + 0u * ALONG_TAPS]);
        let w1 = P4x4(weights[taps + 1u * ALONG_TAPS]);
        let w2 = P4x4(weights[taps + 2u * ALONG_TAPS]);
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
    }
  }

  const last0 = vec4f(0.0);
  store_pixel(block + 0u, first_row + 0u, col + 0u, s0_0_0 + last0);
  store_pixel(block + 0u, first_row + 1u, col + 0u, s0_0_1 + last0);
  store_pixel(block + 0u, first_row + 2u, col + 0u, s0_0_2 + last0);
  store_pixel(block + 0u, first_row + 3u, col + 0u, s0_0_3 + last0);
  store_pixel(block + 0u, first_row + 4u, col + 0u, s0_0_4 + last0);
  store_pixel(block + 0u, first_row + 5u, col + 0u, s0_0_5 + last0);
  store_pixel(block + 0u, first_row + 6u, col + 0u, s0_0_6 + last0);
  store_pixel(block + 0u, first_row + 7u, col + 0u, s0_0_7 + last0);
  if all(local.xy == vec2u(0u)) {
    atomicAdd(&status[1], params.mark);
  }
}
