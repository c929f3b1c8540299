// Returns NaN where `v` is NaN, otherwise `result`, which was computed from `v`. This is needed
// because `max`, `min`, `clamp` and comparisons can drop NaN. The function tests the bits, because
// a compiler may assume that floats are finite.
fn keep_nan(v: vec4f, result: vec4f) -> vec4f {
  return select(result, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}
