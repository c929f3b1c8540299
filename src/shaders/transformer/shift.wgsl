// Shifts a map by one pixel along both axes:
//   y[c, i, j] = x[c, i + d, j + d]
// Here, d is 1 if FORWARD is true, otherwise -1. Where `x` has no such pixel, `y` is zero.
//   x, y [BLOCKS][H][W] vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the block. The prelude (code that is put before this shader) defines E, E4 and
// FORWARD.

#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  // Row -1 and column -1 wrap to the largest u32.
  let from_row = select(row - 1u, row + 1u, FORWARD);
  let from_col = select(col - 1u, col + 1u, FORWARD);
  let plane = group.z * params.width * params.height;
  var v = E4();
  if from_row < params.height && from_col < params.width {
    v = x[plane + from_row * params.width + from_col];
  }
  y[plane + row * params.width + col] = v;
}
