// Activations. kernels/activation.ts gives each a number: ACTIVATION_NONE, ACTIVATION_RELU, ...

// The clamp keeps exp() finite on every device. Beyond it the logistic function is 0 or 1 to within
// f32.
fn logistic(v: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0))));
}

// Leaky ReLU. Slope 1 is no activation, slope 0 is ReLU.
fn leaky(slope: vec4f, v: vec4f) -> vec4f {
  return select(v * slope, v, v >= vec4f(0.0));
}

fn activate(id: u32, slope: f32, v: vec4f) -> vec4f {
  switch id {
    case ACTIVATION_LEAKY_RELU: { return leaky(vec4f(slope), v); }
    case ACTIVATION_RELU: { return max(v, vec4f(0.0)); }
    case ACTIVATION_SIGMOID: { return logistic(v); }
    case ACTIVATION_SILU: { return v * logistic(v); }
    // tanh keeps its relative precision near zero; 1 / (1 + e) - 0.5 would cancel there.
    case ACTIVATION_CENTRED_SIGMOID: { return 0.5 * tanh(clamp(0.5 * v, vec4f(-20.0), vec4f(20.0))); }
    default: { return v; }
  }
}
