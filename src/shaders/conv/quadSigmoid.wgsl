// First activation of quad.wgsl: sigmoid, clamped as in epilogue.wgsl.
fn activate_first(fn_id: u32, block: u32, v: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0))));
}
