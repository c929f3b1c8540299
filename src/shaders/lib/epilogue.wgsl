// Activations of a convolution's epilogue, chosen by constants of the prelude.
//   ACTIVATION_NONE, _LEAKY_RELU (slope SLOPE), _RELU, _SIGMOID
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;

fn activate(fn_id: u32, slope: f32, v: vec4f) -> vec4f {
  switch fn_id {
    case ACTIVATION_LEAKY_RELU: { return select(v * slope, v, v >= vec4f(0.0)); }
    case ACTIVATION_RELU: { return max(v, vec4f(0.0)); }
    // The clamp keeps exp() finite whatever the device does with infinities; beyond it the
    // logistic function is 0 or 1 to within f32 anyway.
    case ACTIVATION_SIGMOID: { return 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0)))); }
    default: { return v; }
  }
}
