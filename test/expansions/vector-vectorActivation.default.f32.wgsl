alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const BLOCKS = 10u;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;
const ACT0 = 4u;
const SLOPE0 = 0.0f;

// Computes `y = act(x)` for a vector `x` of f32 values, padded to whole vec4f vectors. There is one
// workgroup of 64 invocations, and each invocation computes one vec4f at a time.
// The prelude (code that is put before this shader) defines BLOCKS, ACT0 and SLOPE0.

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

@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < BLOCKS; i += 64u) {
    y[i] = activate(ACT0, SLOPE0, x[i]);
  }
}
