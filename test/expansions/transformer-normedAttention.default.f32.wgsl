alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const QUAD = false;
const WEIGHTS_BINDING = 2u;
const CHANNELS = 36u;
const BLOCKS = 9u;
const STRIP = 1u;
const OWN = false;
const TABLE = false;
const EPSILON = 0.000009999999747378752f;
const NEXT_EPSILON = 0.0f;
const FIRST_MATRIX = 81u;
const FIRST_BIAS = 9u;
const ROWS = 8u;
const COLUMNS = 8u;
const NEXT = false;
const NEXT_BLOCKS = 0u;
const NEXT_NORM = false;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;
const ACT1 = 0u;
const SLOPE1 = 1.0f;

// Attention with one head (`groupMix` in graph/transformerOp.ts) within groups of 64 pixels, for
// maps without padding. The kernel also applies the layer norm before the attention and adds the
// residual after it:
//   y[i] = x[i] + V sum_j P[i,j] n[j] + bias.
// `n[j]` is the normalised pixel `x[j]` before the norm's factors and shifts are applied. `V` is
// the product of the output layer's weights, the value layer's weights and the norm's factors.
// `bias` includes the effect of the norm's shifts. This effect is the same for all pixels, because
// each row of `P` sums to 1. With OWN, the kernel also computes the attention weights:
//   P[i,j] = softmax_j( (Q n[i] + b).n[j] + T ).
// `Q` is the product of the query layer's weights, the key layer's weights, the norm's factors and
// `1 / sqrt(CHANNELS)`. Terms that do not depend on `j` are left out, because the softmax cancels
// them. With NEXT, a layer that reads `y` follows (transformer/nextLayer).
//   x, y    [BLOCKS][H][W] vectors of 4 channels (Chw4c); next [NEXT_BLOCKS][H][W]
//   weights matrices (transformer/matrices): V [BLOCKS][BLOCKS]; with OWN, Q [BLOCKS][BLOCKS]; with
//           NEXT, those of the next layer, [NEXT_BLOCKS][BLOCKS]
//   bias    `bias` [BLOCKS]; with OWN, b [BLOCKS]; with NEXT, the next layer's, [NEXT_BLOCKS]
//   table   [rows] f32, with TABLE: the position bias T; otherwise, T is zero
//   scores  [groups][64][16] vec4f: P
// A workgroup computes one group. Each invocation computes STRIP pixels of the group. In the grid,
// `x` and `y` select the group. A group consists of the pixels of a window, or of evenly spaced
// pixels from the whole map. One pipeline serves both kinds of group, because the kernel reads the
// kind from `params.spread`. The prelude (code that is put before this shader) defines E, E4, E4x4,
// CHANNELS, BLOCKS, STRIP, ROWS, COLUMNS, OWN, TABLE, EPSILON, NEXT, NEXT_BLOCKS, NEXT_NORM,
// NEXT_EPSILON, FIRST_MATRIX, FIRST_BIAS, ACT1, SLOPE1 and QUAD.

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

// Loads 4 x 4 matrices in the layout of conv/weights.wgsl, for kernels whose invocations multiply
// each matrix by several pixels. With QUAD, the four lanes of a subgroup quad load a matrix
// together: each lane loads one column. All four lanes must therefore request the same matrix.
// The prelude (code that is put before this shader) defines QUAD and WEIGHTS_BINDING.

@group(0) @binding(2) var<storage, read> weights: array<E4x4>;

fn matrix(at: u32, lane: u32) -> mat4x4f {
  return mat4x4f(weights[at]);
}

fn times(m: mat4x4f, v: vec4f) -> vec4f {
  return m * v;
}

fn ordered(v: vec4f, lane: u32) -> vec4f {
  return v;
}

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  spread: u32, // 1 if a group is spread across the whole map, 0 if it is a window.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> scores: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> y: array<E4>;

const LANES = 64u / STRIP;

var<workgroup> pixels: array<vec4f, 64u * BLOCKS>;

fn table_row(query: u32, key: u32) -> u32 {
  let dy = query / COLUMNS + ROWS - 1u - key / COLUMNS;
  let dx = query % COLUMNS + COLUMNS - 1u - key % COLUMNS;
  return dy * (2u * COLUMNS - 1u) + dx;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  const lane = 0u;
  let place = vec2u(group.x, group.y + params.group_row);
  let first_row = (place.y * groups.x + place.x) * 64u;
  let plane = params.width * params.height;
  let is_spread = params.spread != 0u;
  let size = vec2u(COLUMNS, ROWS);
  let corner = select(place * size, place, is_spread);
  let steps = select(vec2u(1u), vec2u(params.width, params.height) / size, is_spread);
  const is0 = true;
  let token0 = index + 0u * LANES;
  let row0 = (first_row + token0) * 16u;
  let pixel0 = corner + vec2u(token0 % COLUMNS, token0 / COLUMNS) * steps;
  let at0 = pixel0.y * params.width + pixel0.x;
  {
    var sum = vec4f(0.0);
    for (var b = 0u; b < BLOCKS; b++) {
      sum += vec4f(x[b * plane + at0]);
    }
    let mean = dot(sum, vec4f(1.0)) / f32(CHANNELS);
    var squares = 0.0;
    for (var b = 0u; b < BLOCKS; b++) {
      // Absent channels stay zero.
      let present = vec4u(0u, 1u, 2u, 3u) + 4u * b < vec4u(CHANNELS);
      let v = select(vec4f(0.0), vec4f(x[b * plane + at0]) - mean, present);
      squares += dot(v, v);
      pixels[token0 * BLOCKS + b] = v;
    }
    let scale = inverseSqrt(squares / f32(CHANNELS) + EPSILON);
    for (var b = 0u; b < BLOCKS; b++) {
      pixels[token0 * BLOCKS + b] *= scale;
    }
  }
  workgroupBarrier();
  var m0_0 = vec4f(0.0);
  var m0_1 = vec4f(0.0);
  var m0_2 = vec4f(0.0);
  var m0_3 = vec4f(0.0);
  var m0_4 = vec4f(0.0);
  var m0_5 = vec4f(0.0);
  var m0_6 = vec4f(0.0);
  var m0_7 = vec4f(0.0);
  var m0_8 = vec4f(0.0);
  for (var j = 0u; j < 64u; j++) {
    let p0 = scores[row0 + (j >> 2u)][j & 3u];
    {
      let value = pixels[j * BLOCKS + 0u];
      m0_0 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 1u];
      m0_1 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 2u];
      m0_2 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 3u];
      m0_3 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 4u];
      m0_4 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 5u];
      m0_5 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 6u];
      m0_6 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 7u];
      m0_7 += p0 * value;
    }
    {
      let value = pixels[j * BLOCKS + 8u];
      m0_8 += p0 * value;
    }
  }
  for (var o = 0u; o < BLOCKS; o++) {
    var t0 = vec4f(0.0);
    {
      let w = matrix(o * BLOCKS + 0u, lane);
      t0 += times(w, m0_0);
    }
    {
      let w = matrix(o * BLOCKS + 1u, lane);
      t0 += times(w, m0_1);
    }
    {
      let w = matrix(o * BLOCKS + 2u, lane);
      t0 += times(w, m0_2);
    }
    {
      let w = matrix(o * BLOCKS + 3u, lane);
      t0 += times(w, m0_3);
    }
    {
      let w = matrix(o * BLOCKS + 4u, lane);
      t0 += times(w, m0_4);
    }
    {
      let w = matrix(o * BLOCKS + 5u, lane);
      t0 += times(w, m0_5);
    }
    {
      let w = matrix(o * BLOCKS + 6u, lane);
      t0 += times(w, m0_6);
    }
    {
      let w = matrix(o * BLOCKS + 7u, lane);
      t0 += times(w, m0_7);
    }
    {
      let w = matrix(o * BLOCKS + 8u, lane);
      t0 += times(w, m0_8);
    }
    let shift = vec4f(bias[o]);
    y[o * plane + at0] = E4(vec4f(x[o * plane + at0]) + ordered(t0, lane) + shift);
  }
}
