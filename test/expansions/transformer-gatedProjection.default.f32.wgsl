alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const QUAD = false;
const WEIGHTS_BINDING = 3u;
const CHANNELS = 36u;
const BLOCKS = 9u;
const HIDDEN = 9u;
const STRIP = 2u;
const EPSILON = 0.0f;
const FIRST_MATRIX = 81u;
const FIRST_BIAS = 27u;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;
const ACT0 = 5u;
const SLOPE0 = 0.0f;
const NEXT = false;
const NEXT_BLOCKS = 0u;
const NEXT_NORM = false;
const ACT1 = 0u;
const SLOPE1 = 1.0f;

// The end of a gated feed-forward layer:
//   y = r + conv( act(u) * v ) + bias
// where `u` and `v` are the halves of a 3x3 depthwise convolution of `x`, and `r` is the residual.
// With NEXT, a layer that reads `y` follows (transformer/nextLayer).
//   x       [2 HIDDEN][H][W] vectors of 4 channels (Chw4c): the input of u, then the input of v
//   taps    [2 HIDDEN][9]
//   weights matrices (transformer/matrices): [BLOCKS][HIDDEN], then [NEXT_BLOCKS][BLOCKS]
//   bias    [2 HIDDEN] for the depthwise convolution, then [BLOCKS], then [NEXT_BLOCKS]
//   r, y    [BLOCKS][H][W]; next [NEXT_BLOCKS][H][W]
// One invocation computes all channels of STRIP pixels in a column. Workgroups have 8 x 8 x 1
// invocations.
// The prelude (code that is put before this shader) defines E, E4, E4x4, CHANNELS, BLOCKS, HIDDEN,
// STRIP, ACT0, SLOPE0, NEXT, NEXT_BLOCKS, NEXT_NORM, EPSILON, FIRST_MATRIX, FIRST_BIAS, ACT1,
// SLOPE1 and QUAD.

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

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

// Loads 4 x 4 matrices in the layout of conv/weights.wgsl, for kernels whose invocations multiply
// each matrix by several pixels. With QUAD, the four lanes of a subgroup quad load a matrix
// together: each lane loads one column. All four lanes must therefore request the same matrix.
// The prelude (code that is put before this shader) defines QUAD and WEIGHTS_BINDING.

@group(0) @binding(3) var<storage, read> weights: array<E4x4>;

fn matrix(at: u32, lane: u32) -> mat4x4f {
  return mat4x4f(weights[at]);
}

fn times(m: mat4x4f, v: vec4f) -> vec4f {
  return m * v;
}

fn ordered(v: vec4f, lane: u32) -> vec4f {
  return v;
}

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> taps: array<E4>;
@group(0) @binding(4) var<storage, read> bias: array<E4>;
@group(0) @binding(5) var<storage, read> r: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  const lane = 0u;
  let width = params.width;
  let height = params.height;
  let plane = width * height;
  let left = group.x * 8u + local.x;
  let top = ((group.y + params.group_row) * 8u + local.y) * STRIP;
  let col = min(left, width - 1u);
  // Each invocation needs the rows `top - 1` to `top + STRIP` of `x`, and the columns `left - 1` to
  // `left + 1`. Positions are unsigned, so a row above the map or a column left of it wraps around
  // to a huge number. If a position is outside the map, the kernel reads the nearest pixel but uses
  // zero instead of its value.
  let in_row0 = top + 0u - 1u < height;
  let row0 = min(max(top + 0u, 1u) - 1u, height - 1u) * width;
  let in_row1 = top + 1u - 1u < height;
  let row1 = min(max(top + 1u, 1u) - 1u, height - 1u) * width;
  let in_row2 = top + 2u - 1u < height;
  let row2 = min(max(top + 2u, 1u) - 1u, height - 1u) * width;
  let in_row3 = top + 3u - 1u < height;
  let row3 = min(max(top + 3u, 1u) - 1u, height - 1u) * width;
  let is0 = left < width && top + 0u < height;
  let at0 = row1 + col;
  var v0_0 = vec4f(0.0);
  var v0_1 = vec4f(0.0);
  var v0_2 = vec4f(0.0);
  var v0_3 = vec4f(0.0);
  var v0_4 = vec4f(0.0);
  var v0_5 = vec4f(0.0);
  var v0_6 = vec4f(0.0);
  var v0_7 = vec4f(0.0);
  var v0_8 = vec4f(0.0);
  let is1 = left < width && top + 1u < height;
  let at1 = row2 + col;
  var v1_0 = vec4f(0.0);
  var v1_1 = vec4f(0.0);
  var v1_2 = vec4f(0.0);
  var v1_3 = vec4f(0.0);
  var v1_4 = vec4f(0.0);
  var v1_5 = vec4f(0.0);
  var v1_6 = vec4f(0.0);
  var v1_7 = vec4f(0.0);
  var v1_8 = vec4f(0.0);
  for (var h = 0u; h < HIDDEN; h++) {
    let gate = h * plane;
    let value = (h + HIDDEN) * plane;
    var gate0 = vec4f(bias[h]);
    var value0 = vec4f(bias[h + HIDDEN]);
    var gate1 = vec4f(bias[h]);
    var value1 = vec4f(bias[h + HIDDEN]);
    for (var j = 0u; j < 3u; j++) {
      let in_col = left + j - 1u < width;
      let near = min(max(left + j, 1u) - 1u, width - 1u);
      let g0 = vec4f(taps[h * 9u + 0u * 3u + j]);
      let w0 = vec4f(taps[(h + HIDDEN) * 9u + 0u * 3u + j]);
      let g1 = vec4f(taps[h * 9u + 1u * 3u + j]);
      let w1 = vec4f(taps[(h + HIDDEN) * 9u + 1u * 3u + j]);
      let g2 = vec4f(taps[h * 9u + 2u * 3u + j]);
      let w2 = vec4f(taps[(h + HIDDEN) * 9u + 2u * 3u + j]);
      let p0 = select(vec4f(0.0), vec4f(x[gate + row0 + near]), in_row0 && in_col);
      let q0 = select(vec4f(0.0), vec4f(x[value + row0 + near]), in_row0 && in_col);
      let p1 = select(vec4f(0.0), vec4f(x[gate + row1 + near]), in_row1 && in_col);
      let q1 = select(vec4f(0.0), vec4f(x[value + row1 + near]), in_row1 && in_col);
      let p2 = select(vec4f(0.0), vec4f(x[gate + row2 + near]), in_row2 && in_col);
      let q2 = select(vec4f(0.0), vec4f(x[value + row2 + near]), in_row2 && in_col);
      let p3 = select(vec4f(0.0), vec4f(x[gate + row3 + near]), in_row3 && in_col);
      let q3 = select(vec4f(0.0), vec4f(x[value + row3 + near]), in_row3 && in_col);
      gate0 += g0 * p0;
      value0 += w0 * q0;
      gate0 += g1 * p1;
      value0 += w1 * q1;
      gate0 += g2 * p2;
      value0 += w2 * q2;
      gate1 += g0 * p1;
      value1 += w0 * q1;
      gate1 += g1 * p2;
      value1 += w1 * q2;
      gate1 += g2 * p3;
      value1 += w2 * q3;
    }
    let product0 = activate(ACT0, SLOPE0, gate0) * value0;
    let product1 = activate(ACT0, SLOPE0, gate1) * value1;
    {
      let w = matrix(0u * HIDDEN + h, lane);
      v0_0 += times(w, product0);
      v1_0 += times(w, product1);
    }
    {
      let w = matrix(1u * HIDDEN + h, lane);
      v0_1 += times(w, product0);
      v1_1 += times(w, product1);
    }
    {
      let w = matrix(2u * HIDDEN + h, lane);
      v0_2 += times(w, product0);
      v1_2 += times(w, product1);
    }
    {
      let w = matrix(3u * HIDDEN + h, lane);
      v0_3 += times(w, product0);
      v1_3 += times(w, product1);
    }
    {
      let w = matrix(4u * HIDDEN + h, lane);
      v0_4 += times(w, product0);
      v1_4 += times(w, product1);
    }
    {
      let w = matrix(5u * HIDDEN + h, lane);
      v0_5 += times(w, product0);
      v1_5 += times(w, product1);
    }
    {
      let w = matrix(6u * HIDDEN + h, lane);
      v0_6 += times(w, product0);
      v1_6 += times(w, product1);
    }
    {
      let w = matrix(7u * HIDDEN + h, lane);
      v0_7 += times(w, product0);
      v1_7 += times(w, product1);
    }
    {
      let w = matrix(8u * HIDDEN + h, lane);
      v0_8 += times(w, product0);
      v1_8 += times(w, product1);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 0u]);
    v0_0 = ordered(v0_0, lane) + shift + vec4f(r[0u * plane + at0]);
    if is0 {
      y[0u * plane + at0] = E4(v0_0);
    }
    v1_0 = ordered(v1_0, lane) + shift + vec4f(r[0u * plane + at1]);
    if is1 {
      y[0u * plane + at1] = E4(v1_0);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 1u]);
    v0_1 = ordered(v0_1, lane) + shift + vec4f(r[1u * plane + at0]);
    if is0 {
      y[1u * plane + at0] = E4(v0_1);
    }
    v1_1 = ordered(v1_1, lane) + shift + vec4f(r[1u * plane + at1]);
    if is1 {
      y[1u * plane + at1] = E4(v1_1);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 2u]);
    v0_2 = ordered(v0_2, lane) + shift + vec4f(r[2u * plane + at0]);
    if is0 {
      y[2u * plane + at0] = E4(v0_2);
    }
    v1_2 = ordered(v1_2, lane) + shift + vec4f(r[2u * plane + at1]);
    if is1 {
      y[2u * plane + at1] = E4(v1_2);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 3u]);
    v0_3 = ordered(v0_3, lane) + shift + vec4f(r[3u * plane + at0]);
    if is0 {
      y[3u * plane + at0] = E4(v0_3);
    }
    v1_3 = ordered(v1_3, lane) + shift + vec4f(r[3u * plane + at1]);
    if is1 {
      y[3u * plane + at1] = E4(v1_3);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 4u]);
    v0_4 = ordered(v0_4, lane) + shift + vec4f(r[4u * plane + at0]);
    if is0 {
      y[4u * plane + at0] = E4(v0_4);
    }
    v1_4 = ordered(v1_4, lane) + shift + vec4f(r[4u * plane + at1]);
    if is1 {
      y[4u * plane + at1] = E4(v1_4);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 5u]);
    v0_5 = ordered(v0_5, lane) + shift + vec4f(r[5u * plane + at0]);
    if is0 {
      y[5u * plane + at0] = E4(v0_5);
    }
    v1_5 = ordered(v1_5, lane) + shift + vec4f(r[5u * plane + at1]);
    if is1 {
      y[5u * plane + at1] = E4(v1_5);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 6u]);
    v0_6 = ordered(v0_6, lane) + shift + vec4f(r[6u * plane + at0]);
    if is0 {
      y[6u * plane + at0] = E4(v0_6);
    }
    v1_6 = ordered(v1_6, lane) + shift + vec4f(r[6u * plane + at1]);
    if is1 {
      y[6u * plane + at1] = E4(v1_6);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 7u]);
    v0_7 = ordered(v0_7, lane) + shift + vec4f(r[7u * plane + at0]);
    if is0 {
      y[7u * plane + at0] = E4(v0_7);
    }
    v1_7 = ordered(v1_7, lane) + shift + vec4f(r[7u * plane + at1]);
    if is1 {
      y[7u * plane + at1] = E4(v1_7);
    }
  }
  {
    let shift = vec4f(bias[2u * HIDDEN + 8u]);
    v0_8 = ordered(v0_8, lane) + shift + vec4f(r[8u * plane + at0]);
    if is0 {
      y[8u * plane + at0] = E4(v0_8);
    }
    v1_8 = ordered(v1_8, lane) + shift + vec4f(r[8u * plane + at1]);
    if is1 {
      y[8u * plane + at1] = E4(v1_8);
    }
  }
}
