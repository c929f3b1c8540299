alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const DEPTH = 8u;
const CLUSTERS = 128u;

// The start of k-means. The initial centroids are the channel values of evenly spaced pixels:
//   means[r, k] = x[:, k * length / CLUSTERS].
//   x [DEPTH][length] vectors of 4 channels, means [R][CLUSTERS][DEPTH] vectors of f32.
// Each invocation computes one vector of means. Workgroups have 64 invocations. The workgroup's `z`
// index is the round `r`. The prelude (code that is put before this shader) defines E4, DEPTH and
// CLUSTERS.

struct Params {
  length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> means: array<vec4f>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let i = group.x * 64u + local.x;
  if i >= CLUSTERS * DEPTH {
    return;
  }
  // `pixel` is `floor(k * length / CLUSTERS)`, computed without a product that could overflow.
  let k = i / DEPTH;
  let pixel = k * (params.length / CLUSTERS) + k * (params.length % CLUSTERS) / CLUSTERS;
  means[group.z * CLUSTERS * DEPTH + i] = vec4f(x[(i % DEPTH) * params.length + pixel]);
}
