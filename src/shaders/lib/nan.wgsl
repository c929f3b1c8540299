// What max, min, clamp or a comparison made of v; NaN where v is NaN, which these may drop. NaN is told by
// its bits, because a compiler may assume that floats are finite.
fn keep_nan(v: vec4f, result: vec4f) -> vec4f {
  return select(result, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}
