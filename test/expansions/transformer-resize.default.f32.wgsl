alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;

// A bilinear enlargement to a given size, with half-pixel centres and clamped edges.
//   x [BLOCKS][in_height][in_width], y [BLOCKS][H][W] vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// workgroup's `z` coordinate selects the block of 4 channels. The prelude (code that is put before
// this shader) defines E and E4.

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  in_width: u32,
  in_height: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

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

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }

  y[(group.z * params.height + row) * params.width + col] = E4(enlarged(group.z, row, col));
}
