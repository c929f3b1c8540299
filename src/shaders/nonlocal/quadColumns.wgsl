// Builds a matrix from the columns that the four invocations of a quad have loaded, one each. All
// four must be active.
fn quad_columns(own: vec4f) -> mat4x4f {
  return mat4x4f(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  );
}
