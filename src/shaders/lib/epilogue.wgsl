// Activations of a convolution's epilogue, chosen by constants of the prelude.
//   ACTIVATION_NONE, _LEAKY_RELU (slope SLOPE), _RELU, _SIGMOID, _SILU (v sigmoid(v)),
//   _CENTRED_SIGMOID (sigmoid(v) - 0.5), _PRELU (a slope per channel)
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_CENTRED_SIGMOID = 5u;
const ACTIVATION_PRELU = 6u;

// The clamp keeps exp() finite whatever the device does with infinities; beyond it the logistic
// function is 0 or 1 to within f32 anyway.
fn logistic(v: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0))));
}

fn activate(fn_id: u32, slope: f32, v: vec4f) -> vec4f {
  switch fn_id {
    case ACTIVATION_LEAKY_RELU: { return select(v * slope, v, v >= vec4f(0.0)); }
    case ACTIVATION_RELU: { return max(v, vec4f(0.0)); }
    case ACTIVATION_SIGMOID: { return logistic(v); }
    case ACTIVATION_SILU: { return v * logistic(v); }
    // tanh keeps its relative precision near zero, where 1 / (1 + e) - 0.5 would cancel.
    case ACTIVATION_CENTRED_SIGMOID: { return 0.5 * tanh(clamp(0.5 * v, vec4f(-20.0), vec4f(20.0))); }
    default: { return v; }
  }
}

// `slopes` holds one slope per channel, for ACTIVATION_PRELU.
fn activate_by_channel(fn_id: u32, slope: f32, slopes: vec4f, v: vec4f) -> vec4f {
  if fn_id == ACTIVATION_PRELU {
    return select(v * slopes, v, v >= vec4f(0.0));
  }
  return activate(fn_id, slope, v);
}
