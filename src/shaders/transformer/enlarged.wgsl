// Returns one pixel of one block of an enlarged map. This map is `x`, enlarged to `width` x
// `height` pixels. The enlargement is bilinear, with half-pixel centres and clamped edges. `x` is
// [blocks][in_height][in_width].

fn enlarged(block: u32, row: u32, col: u32) -> vec4f {
  let size = vec2f(f32(params.in_width), f32(params.in_height));
  let scale = size / vec2f(f32(params.width), f32(params.height));
  let s = max((vec2f(f32(col), f32(row)) + 0.5) * scale - 0.5, vec2f(0.0));
  let lo = vec2u(s);
  let hi = min(lo + 1u, vec2u(params.in_width - 1u, params.in_height - 1u));
  let f = s - vec2f(lo);
  let base = block * params.in_height;
  let top = (base + lo.y) * params.in_width;
  let bottom = (base + hi.y) * params.in_width;
  let upper = mix(vec4f(x[top + lo.x]), vec4f(x[top + hi.x]), f.x);
  let lower = mix(vec4f(x[bottom + lo.x]), vec4f(x[bottom + hi.x]), f.x);
  return mix(upper, lower, f.y);
}
