// A matrix of which each invocation of a quad has loaded one column. All four must be there.
fn quad_columns(own: vec4f) -> mat4x4f {
  return mat4x4f(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  );
}
