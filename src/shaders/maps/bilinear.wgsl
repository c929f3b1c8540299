// A bilinear enlargement with half-pixel centres and clamped edges (align_corners false):
//   the source coordinate of output row or column i is (i + 0.5) / SCALE - 0.5, but at least 0;
//   the row or column after this coordinate is clamped to the last one of the map.
//   x [BLOCKS][H / SCALE][W / SCALE], y [BLOCKS][H][W], vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one output pixel. Workgroups have 8 x 8 x 1 invocations.
// A workgroup's `z` coordinate is the index of its block of 4 channels. The prelude (code that is
// put before this shader) defines the types E and E4 and the constant SCALE.

#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let w = params.width / SCALE;
  let h = params.height / SCALE;
  let s = max((vec2f(f32(col), f32(row)) + 0.5) / f32(SCALE) - 0.5, vec2f(0.0));
  let lo = vec2u(s);
  let hi = min(lo + 1u, vec2u(w - 1u, h - 1u));
  let f = s - vec2f(lo);

  let base = group.z * h;
  let top = (base + lo.y) * w;
  let bottom = (base + hi.y) * w;
  let upper = mix(vec4f(x[top + lo.x]), vec4f(x[top + hi.x]), f.x);
  let lower = mix(vec4f(x[bottom + lo.x]), vec4f(x[bottom + hi.x]), f.x);
  y[(group.z * params.height + row) * params.width + col] = E4(mix(upper, lower, f.y));
}
