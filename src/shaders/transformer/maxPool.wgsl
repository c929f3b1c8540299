// Performs max pooling with a K x K kernel and a stride of STRIDE pixels, without padding.
//   x [BLOCKS][in_height][in_width], y [BLOCKS][H][W] vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// workgroup's `z` coordinate selects the block of 4 channels. The prelude (code that is put before
// this shader) defines E, E4, K and STRIDE.

#import lib/nan

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

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let first = (group.z * params.in_height + row * STRIDE) * params.in_width + col * STRIDE;
  var most = vec4f(x[first]);
  for (var ky = 0u; ky < K; ky++) {
    for (var kx = 0u; kx < K; kx++) {
      let v = vec4f(x[first + ky * params.in_width + kx]);
      most = keep_nan(most, keep_nan(v, max(most, v)));
    }
  }
  y[(group.z * params.height + row) * params.width + col] = E4(most);
}
