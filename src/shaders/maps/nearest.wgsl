// A nearest-neighbour enlargement:
//   y[c, i, j] = x[c, floor(i / SCALE), floor(j / SCALE)]
// 3x3 convolutions enlarge their input themselves, so this kernel runs only if something other than
// a 3x3 convolution reads the result.
//   x [BLOCKS][H / SCALE][W / SCALE], y [BLOCKS][H][W], vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one output pixel. Workgroups have 8 x 8 x 1 invocations.
// The workgroup's `z` coordinate selects the block of 4 channels. The prelude (code that is put
// before this shader) defines the types E and E4 and the constant SCALE.

#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let w = params.width / SCALE;
  let h = params.height / SCALE;
  y[(group.z * params.height + row) * params.width + col] =
    x[(group.z * h + row / SCALE) * w + col / SCALE];
}
