alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const QUAD = false;
const WEIGHTS_BINDING = 5u;
const CHANNELS = 36u;
const BLOCKS = 12u;
const B0 = 9u;
const B1 = 3u;
const B2 = 0u;
const B3 = 0u;
const STRIP = 2u;
const EPSILON = 0.0f;
const ACTIVE = 12u;
const NEXT = true;
const NEXT_BLOCKS = 21u;
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
const ACT1 = 5u;
const SLOPE1 = 0.0f;

// A 1x1 convolution of the concatenation of up to four maps, with an optional layer norm before it
// (NEXT_NORM) and an activation after it:
//   next[o] = act( sum_i w[o,i] * norm(x)[i] + bias[o] )
// The activation applies only to the result's blocks ACTIVE to NEXT_BLOCKS - 1.
//   x0 .. x3 [B0][H][W] .. [B3][H][W] vectors of 4 channels (Chw4c). If there are fewer than four
//            maps, the unused ones have 0 blocks.
//   weights  [NEXT_BLOCKS][BLOCKS] matrices (transformer/matrices), bias [NEXT_BLOCKS]. With
//            NEXT_NORM, the norm's factors are folded into the weights, and its shifts into the
//            bias.
//   next     [NEXT_BLOCKS][H][W]
//
// One invocation computes all channels of STRIP pixels that are 64 pixels apart. Workgroups have 64
// invocations. A workgroup covers `64 * STRIP` pixels. The grid is (1, workgroups, 1), with a
// larger `x` if there are more than 65535 workgroups. The prelude (code that is put before this
// shader) defines E, E4, E4x4, CHANNELS, BLOCKS, B0 .. B3, STRIP, NEXT_BLOCKS, NEXT_NORM, EPSILON,
// ACTIVE, ACT1, SLOPE1 and QUAD.

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

@group(0) @binding(5) var<storage, read> weights: array<E4x4>;

fn matrix(at: u32, lane: u32) -> mat4x4f {
  return mat4x4f(weights[at]);
}

fn times(m: mat4x4f, v: vec4f) -> vec4f {
  return m * v;
}

fn ordered(v: vec4f, lane: u32) -> vec4f {
  return v;
}

@group(0) @binding(1) var<storage, read> x0: array<E4>;
@group(0) @binding(2) var<storage, read> x1: array<E4>;
@group(0) @binding(3) var<storage, read> x2: array<E4>;
@group(0) @binding(4) var<storage, read> x3: array<E4>;
@group(0) @binding(6) var<storage, read> bias: array<E4>;
@group(0) @binding(7) var<storage, read_write> next: array<E4>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  const lane = 0u;
  let plane = params.width * params.height;
  let start = ((group.y + params.group_row) * groups.x + group.x) * 64u * STRIP + index;
  let is0 = start + 0u * 64u < plane;
  let at0 = min(start + 0u * 64u, plane - 1u);
  var v0_0 = vec4f(x0[0u * plane + at0]);
  var v0_1 = vec4f(x0[1u * plane + at0]);
  var v0_2 = vec4f(x0[2u * plane + at0]);
  var v0_3 = vec4f(x0[3u * plane + at0]);
  var v0_4 = vec4f(x0[4u * plane + at0]);
  var v0_5 = vec4f(x0[5u * plane + at0]);
  var v0_6 = vec4f(x0[6u * plane + at0]);
  var v0_7 = vec4f(x0[7u * plane + at0]);
  var v0_8 = vec4f(x0[8u * plane + at0]);
  var v0_9 = vec4f(x1[0u * plane + at0]);
  var v0_10 = vec4f(x1[1u * plane + at0]);
  var v0_11 = vec4f(x1[2u * plane + at0]);
  let is1 = start + 1u * 64u < plane;
  let at1 = min(start + 1u * 64u, plane - 1u);
  var v1_0 = vec4f(x0[0u * plane + at1]);
  var v1_1 = vec4f(x0[1u * plane + at1]);
  var v1_2 = vec4f(x0[2u * plane + at1]);
  var v1_3 = vec4f(x0[3u * plane + at1]);
  var v1_4 = vec4f(x0[4u * plane + at1]);
  var v1_5 = vec4f(x0[5u * plane + at1]);
  var v1_6 = vec4f(x0[6u * plane + at1]);
  var v1_7 = vec4f(x0[7u * plane + at1]);
  var v1_8 = vec4f(x0[8u * plane + at1]);
  var v1_9 = vec4f(x1[0u * plane + at1]);
  var v1_10 = vec4f(x1[1u * plane + at1]);
  var v1_11 = vec4f(x1[2u * plane + at1]);
  for (var o = 0u; o < 12u; o++) {
    var t0 = vec4f(0.0);
    var t1 = vec4f(0.0);
    {
      let w = matrix(0u + o * BLOCKS + 0u, lane);
      t0 += times(w, v0_0);
      t1 += times(w, v1_0);
    }
    {
      let w = matrix(0u + o * BLOCKS + 1u, lane);
      t0 += times(w, v0_1);
      t1 += times(w, v1_1);
    }
    {
      let w = matrix(0u + o * BLOCKS + 2u, lane);
      t0 += times(w, v0_2);
      t1 += times(w, v1_2);
    }
    {
      let w = matrix(0u + o * BLOCKS + 3u, lane);
      t0 += times(w, v0_3);
      t1 += times(w, v1_3);
    }
    {
      let w = matrix(0u + o * BLOCKS + 4u, lane);
      t0 += times(w, v0_4);
      t1 += times(w, v1_4);
    }
    {
      let w = matrix(0u + o * BLOCKS + 5u, lane);
      t0 += times(w, v0_5);
      t1 += times(w, v1_5);
    }
    {
      let w = matrix(0u + o * BLOCKS + 6u, lane);
      t0 += times(w, v0_6);
      t1 += times(w, v1_6);
    }
    {
      let w = matrix(0u + o * BLOCKS + 7u, lane);
      t0 += times(w, v0_7);
      t1 += times(w, v1_7);
    }
    {
      let w = matrix(0u + o * BLOCKS + 8u, lane);
      t0 += times(w, v0_8);
      t1 += times(w, v1_8);
    }
    {
      let w = matrix(0u + o * BLOCKS + 9u, lane);
      t0 += times(w, v0_9);
      t1 += times(w, v1_9);
    }
    {
      let w = matrix(0u + o * BLOCKS + 10u, lane);
      t0 += times(w, v0_10);
      t1 += times(w, v1_10);
    }
    {
      let w = matrix(0u + o * BLOCKS + 11u, lane);
      t0 += times(w, v0_11);
      t1 += times(w, v1_11);
    }
    let shift = vec4f(bias[0u + o]);
    t0 = ordered(t0, lane) + shift;
    if is0 {
      next[o * plane + at0] = E4(t0);
    }
    t1 = ordered(t1, lane) + shift;
    if is1 {
      next[o * plane + at1] = E4(t1);
    }
  }

  for (var o = 12u; o < 21u; o++) {
    var t0 = vec4f(0.0);
    var t1 = vec4f(0.0);
    {
      let w = matrix(0u + o * BLOCKS + 0u, lane);
      t0 += times(w, v0_0);
      t1 += times(w, v1_0);
    }
    {
      let w = matrix(0u + o * BLOCKS + 1u, lane);
      t0 += times(w, v0_1);
      t1 += times(w, v1_1);
    }
    {
      let w = matrix(0u + o * BLOCKS + 2u, lane);
      t0 += times(w, v0_2);
      t1 += times(w, v1_2);
    }
    {
      let w = matrix(0u + o * BLOCKS + 3u, lane);
      t0 += times(w, v0_3);
      t1 += times(w, v1_3);
    }
    {
      let w = matrix(0u + o * BLOCKS + 4u, lane);
      t0 += times(w, v0_4);
      t1 += times(w, v1_4);
    }
    {
      let w = matrix(0u + o * BLOCKS + 5u, lane);
      t0 += times(w, v0_5);
      t1 += times(w, v1_5);
    }
    {
      let w = matrix(0u + o * BLOCKS + 6u, lane);
      t0 += times(w, v0_6);
      t1 += times(w, v1_6);
    }
    {
      let w = matrix(0u + o * BLOCKS + 7u, lane);
      t0 += times(w, v0_7);
      t1 += times(w, v1_7);
    }
    {
      let w = matrix(0u + o * BLOCKS + 8u, lane);
      t0 += times(w, v0_8);
      t1 += times(w, v1_8);
    }
    {
      let w = matrix(0u + o * BLOCKS + 9u, lane);
      t0 += times(w, v0_9);
      t1 += times(w, v1_9);
    }
    {
      let w = matrix(0u + o * BLOCKS + 10u, lane);
      t0 += times(w, v0_10);
      t1 += times(w, v1_10);
    }
    {
      let w = matrix(0u + o * BLOCKS + 11u, lane);
      t0 += times(w, v0_11);
      t1 += times(w, v1_11);
    }
    let shift = vec4f(bias[0u + o]);
    t0 = ordered(t0, lane) + shift;
    if is0 {
      next[o * plane + at0] = E4(activate(ACT1, SLOPE1, t0));
    }
    t1 = ordered(t1, lane) + shift;
    if is1 {
      next[o * plane + at1] = E4(activate(ACT1, SLOPE1, t1));
    }
  }

}
