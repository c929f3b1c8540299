// Builds a matrix from four columns. Each invocation of a quad has loaded one of them. All four
// invocations must be active.
fn quad_columns(own: vec4f) -> mat4x4f {
  return mat4x4f(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  );
}
