// First activation of quad.wgsl: none, ReLU, leaky ReLU or PReLU, whose slopes stand behind the biases.
fn activate_first(fn_id: u32, block: u32, v: vec4f) -> vec4f {
  if PRELU && fn_id == ACTIVATION_PRELU {
    return select(v * vec4f(bias[params.out_blocks + block]), v, v >= vec4f(0.0));
  }
  return activate_linear(fn_id, params.slope0, v);
}
