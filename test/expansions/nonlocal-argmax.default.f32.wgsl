alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CLUSTERS = 128u;
const BLOCKS = 32u;

// Finds the cluster of each pixel `i`. `codes[r, i]` is `r * CLUSTERS` plus the index of the
// largest similarity. If several similarities are equally large, the lowest index is used.
//   similar [R][length][BLOCKS * 4] f32, codes [R][length] u32
// Each invocation processes one pixel. Workgroups have 64 invocations. The grid's `z` selects the
// round of clustering, `r`. The prelude (code that is put before this shader) defines CLUSTERS and
// BLOCKS.

struct Params {
  length: u32,
  in_use: u32,      // The number of clusters to compare, or 0 for all.
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
