// The second stage of global average pooling:
//   mean = (sum of partials) / (H * W)
//   partials [chunks][BLOCKS] vec4f, mean [BLOCKS] vec4f (a vector of 4 * BLOCKS f32)
// One workgroup of 64 invocations computes one block. The grid is (BLOCKS, 1, 1).
// The prelude (code that is put before this shader) defines BLOCKS.

#import vector/finishMean

@group(0) @binding(2) var<storage, read_write> mean: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let value = finish_mean(group.x, params.chunks, params.pixels, lane);
  if lane == 0u {
    mean[group.x] = value;
  }
}
