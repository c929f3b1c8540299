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

#import transformer/enlarged

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  y[(group.z * params.height + row) * params.width + col] = E4(enlarged(group.z, row, col));
}
