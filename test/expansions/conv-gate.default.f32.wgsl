alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const IN_BLOCKS = 10u;
const STRIP = 8u;
const LINES = 1u;
const DOWN = true;
const BLOCKS = 1u;
const PARTS = false;
const QUAD = false;
const STAGED = false;
const SHARED = false;
const HALO = false;
const HALF = false;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;
const DEPTH = 6u;
const TILE_COLUMNS = 16u;
const UPSAMPLE = 2u;
const ACT1 = 1u;
const SLOPE1 = 0.20000000298023224f;

// Computes a 3x3 convolution, followed by pixel attention (arXiv 2010.01073, section 3.4).
//
//   u = w3 * x + b3;  y = act1( u * sigmoid(w1 u + b1) )
//
// The 3x3 convolution has zero padding. It reads `x` as if `x` were enlarged by UPSAMPLE
// (nearest-neighbour). The enlarged map is never stored. `w1` is 1x1 and keeps the number of
// channels.
//
//   x       [IN_BLOCKS][h][w] vectors of 4 channels (Chw4c), H = h * UPSAMPLE, W = w * UPSAMPLE
//   weights mat4x4, column c = input channel c: w3 [DEPTH][IN_BLOCKS][9], w1 [DEPTH][DEPTH]
//   bias    b3 [DEPTH], b1 [DEPTH]
//   y       [DEPTH][H][W]
//
// lib/exchange.wgsl explains which pixels and channels each invocation computes.
// The prelude (code that is put before this shader) defines the types E, E4 and E4x4 and the
// constants IN_BLOCKS, DEPTH, TILE_COLUMNS, UPSAMPLE, ACT1 and SLOPE1.

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

// Code shared by kernels in which each workgroup computes a tile of TILE_COLUMNS x 8 pixels with
// all DEPTH blocks of channels. A workgroup has TILE_COLUMNS x DEPTH invocations. Invocation
// `(l, b)` computes block `b` of the eight pixels in column `l`. Invocations exchange values
// through workgroup memory.
// The prelude (code that is put before this shader) defines DEPTH and TILE_COLUMNS. Their product
// is at most 256.

const_assert DEPTH > 0u && TILE_COLUMNS * DEPTH <= 256u;
const PIXELS = 8u * TILE_COLUMNS;

var<workgroup> exchange: array<vec4f, PIXELS * DEPTH>;

// Adds up the argument `own` over all columns of the tile, separately for each block. Only the
// invocations in column 0 (`lane` 0) get the sum. Every invocation of the workgroup must call this
// function.
fn sum_of_lanes(lane: u32, block: u32, own: vec4f) -> vec4f {
  var sum = own;
  workgroupBarrier();
  exchange[block * TILE_COLUMNS + lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < TILE_COLUMNS; i++) {
      sum += exchange[block * TILE_COLUMNS + i];
    }
  }
  return sum;
}

// The products of map values and weights are f32. With HALF, they instead have the type of the maps
// and weights. If that type is f16, GPU hardware can compute two products at a time.
// The prelude (code that is put before this shader) defines E4, E4x4 and HALF.

alias P4 = vec4f;
alias P4x4 = mat4x4f;

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

const W1 = DEPTH * IN_BLOCKS * 9u;

fn store(at: u32, inside: bool, u: vec4f, gate: vec4f) {
  if inside {
    y[at] = E4(activate(ACT1, SLOPE1, u * logistic(gate)));
  }
}

@compute @workgroup_size(TILE_COLUMNS, DEPTH, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let left = group.x * TILE_COLUMNS + local.x;
  let row = (group.y + params.group_row) * STRIP;
  let block = local.y;
  let slot = block * PIXELS + local.x;
  let width = params.width;
  let height = params.height;
  let upsample = 2u;
  let in_width = width / upsample;
  let plane = in_width * (height / upsample);
  let at = (block * height + row) * width + left;
  let count = select(0u, min(STRIP, height - min(row, height)), left < width);
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

  let in_blocks = IN_BLOCKS;
  let b3 = vec4f(bias[block]);
  var u0_0_0 = b3;
  var g0_0_0 = vec4f(0.0);
  var u0_0_1 = b3;
  var g0_0_1 = vec4f(0.0);
  var u0_0_2 = b3;
  var g0_0_2 = vec4f(0.0);
  var u0_0_3 = b3;
  var g0_0_3 = vec4f(0.0);
  var u0_0_4 = b3;
  var g0_0_4 = vec4f(0.0);
  var u0_0_5 = b3;
  var g0_0_5 = vec4f(0.0);
  var u0_0_6 = b3;
  var g0_0_6 = vec4f(0.0);
  var u0_0_7 = b3;
  var g0_0_7 = vec4f(0.0);
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
        u0_0_0 += w0 * v0;
        u0_0_0 += w1 * v1;
        u0_0_0 += w2 * v2;
        u0_0_1 += w0 * v1;
        u0_0_1 += w1 * v2;
        u0_0_1 += w2 * v3;
        u0_0_2 += w0 * v2;
        u0_0_2 += w1 * v3;
        u0_0_2 += w2 * v4;
        u0_0_3 += w0 * v3;
        u0_0_3 += w1 * v4;
        u0_0_3 += w2 * v5;
        u0_0_4 += w0 * v4;
        u0_0_4 += w1 * v5;
        u0_0_4 += w2 * v6;
        u0_0_5 += w0 * v5;
        u0_0_5 += w1 * v6;
        u0_0_5 += w2 * v7;
        u0_0_6 += w0 * v6;
        u0_0_6 += w1 * v7;
        u0_0_6 += w2 * v8;
        u0_0_7 += w0 * v7;
        u0_0_7 += w1 * v8;
        u0_0_7 += w2 * v9;
      }
    }
  }

  exchange[slot + 0u * TILE_COLUMNS] = u0_0_0;
  exchange[slot + 1u * TILE_COLUMNS] = u0_0_1;
  exchange[slot + 2u * TILE_COLUMNS] = u0_0_2;
  exchange[slot + 3u * TILE_COLUMNS] = u0_0_3;
  exchange[slot + 4u * TILE_COLUMNS] = u0_0_4;
  exchange[slot + 5u * TILE_COLUMNS] = u0_0_5;
  exchange[slot + 6u * TILE_COLUMNS] = u0_0_6;
  exchange[slot + 7u * TILE_COLUMNS] = u0_0_7;
  workgroupBarrier();
  for (var i = 0u; i < DEPTH; i++) {
    let w = mat4x4f(weights[W1 + block * DEPTH + i]);
    let source = i * PIXELS + local.x;
    g0_0_0 += w * exchange[source + 0u * TILE_COLUMNS];
    g0_0_1 += w * exchange[source + 1u * TILE_COLUMNS];
    g0_0_2 += w * exchange[source + 2u * TILE_COLUMNS];
    g0_0_3 += w * exchange[source + 3u * TILE_COLUMNS];
    g0_0_4 += w * exchange[source + 4u * TILE_COLUMNS];
    g0_0_5 += w * exchange[source + 5u * TILE_COLUMNS];
    g0_0_6 += w * exchange[source + 6u * TILE_COLUMNS];
    g0_0_7 += w * exchange[source + 7u * TILE_COLUMNS];
  }

  // The bias is added last, as in the 1x1 convolutions of conv.wgsl.
  let b1 = vec4f(bias[DEPTH + block]);
  store(at + 0u * width, 0u < count, u0_0_0, g0_0_0 + b1);
  store(at + 1u * width, 1u < count, u0_0_1, g0_0_1 + b1);
  store(at + 2u * width, 2u < count, u0_0_2, g0_0_2 + b1);
  store(at + 3u * width, 3u < count, u0_0_3, g0_0_3 + b1);
  store(at + 4u * width, 4u < count, u0_0_4, g0_0_4 + b1);
  store(at + 5u * width, 5u < count, u0_0_5, g0_0_5 + b1);
  store(at + 6u * width, 6u < count, u0_0_6, g0_0_6 + b1);
  store(at + 7u * width, 7u < count, u0_0_7, g0_0_7 + b1);
}
