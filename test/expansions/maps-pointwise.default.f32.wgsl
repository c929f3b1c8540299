alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const OP = 2u;
const FACTOR = 1.0f;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;
const ACT0 = 1u;
const SLOPE0 = 0.20000000298023224f;

// Elementwise operations on feature maps, with an activation:
//   OP_COPY  y = act(a)
//   OP_MUL   y = act(a * b)
//   OP_ADD   y = act(a + FACTOR * b)
//   OP_MIX   y = act(p[0] * a + p[1] * b)     the dynamically weighted mix of arXiv 2104.09497, eq. 5
//   OP_PRELU  y = act(a >= 0 ? a : p[c] * a)
//   OP_SCALE  y = act(p[c] * a)
//   OP_AFFINE y = act(p[2 c] * a + p[2 c + 1])
//
//   a, b, y [BLOCKS][H][W] vectors of 4 channels (Chw4c)
//   p f32: two for OP_MIX, one per channel for OP_PRELU and OP_SCALE, two per channel for OP_AFFINE
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the block of 4 channels. The prelude (code that is put before this shader)
// defines the types E and E4 and the constants OP, FACTOR, ACT0 and SLOPE0.

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

const OP_COPY = 0u;
const OP_MUL = 1u;
const OP_ADD = 2u;
const OP_MIX = 3u;
const OP_PRELU = 4u;
const OP_AFFINE = 5u;
const OP_SCALE = 6u;

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> a: array<E4>;
@group(0) @binding(2) var<storage, read> b: array<E4>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }

  let at = (group.z * params.height + row) * params.width + col;
  var v = vec4f(a[at]);
  switch OP {
    case OP_MUL: { v *= vec4f(b[at]); }
    case OP_ADD: { v += FACTOR * vec4f(b[at]); }
    case OP_MIX: { v = p[0] * v + p[1] * vec4f(b[at]); }
    case OP_PRELU: {
      let c = group.z * 4u;
      v = leaky(vec4f(p[c], p[c + 1u], p[c + 2u], p[c + 3u]), v);
    }
    case OP_SCALE: {
      let c = group.z * 4u;
      v *= vec4f(p[c], p[c + 1u], p[c + 2u], p[c + 3u]);
    }
    case OP_AFFINE: {
      let c = group.z * 8u;
      v = v * vec4f(p[c], p[c + 2u], p[c + 4u], p[c + 6u]) +
        vec4f(p[c + 1u], p[c + 3u], p[c + 5u], p[c + 7u]);
    }
    default: {}
  }
  y[at] = E4(activate(ACT0, SLOPE0, v));
}
