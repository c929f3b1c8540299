// Builds a matrix from four columns. Each invocation of a quad has loaded one of them. All four
// invocations must be active.
fn quad_columns(own: vec4f) -> mat4x4f {
  return mat4x4f(
    #for lane in 0..4
      quadBroadcast(own, {lane}u),
    #end
  );
}
