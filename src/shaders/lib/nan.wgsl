// `result`, which is computed from v, but NaN where v is NaN: max, min, clamp and comparisons may
// drop NaN. This tests the bits, because a compiler may assume that floats are finite.
fn keep_nan(v: vec4f, result: vec4f) -> vec4f {
  return select(result, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}
