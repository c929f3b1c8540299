// The cluster of each pixel: codes[r, i] = r * CLUSTERS + index of the largest similarity. Ties go
// to the lowest index.
//   similar [R][length][BLOCKS * 4] f32, codes [R][length] u32
// One invocation per pixel; workgroup 64; grid z = r. Prelude: CLUSTERS, BLOCKS.

struct Params {
  length: u32,
  in_use: u32,      // how many clusters are compared; 0: all
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> similar: array<f32>;
@group(0) @binding(2) var<storage, read_write> codes: array<u32>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let pixel = group.x * 64u + local.x;
  if pixel >= params.length {
    return;
  }
  let i = group.z * params.length + pixel;
  var best = 0u;
  var largest = similar[i * BLOCKS * 4u];
  let clusters = select(params.in_use, CLUSTERS, params.in_use == 0u);
  for (var k = 1u; k < clusters; k++) {
    let value = similar[i * BLOCKS * 4u + k];
    if value > largest {
      largest = value;
      best = k;
    }
  }
  codes[i] = best + group.z * CLUSTERS;
}
