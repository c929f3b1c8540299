// Computes the same dot products as similarity.wgsl, but four neighbouring invocations share their
// loads, as in rowMixQuad.wgsl. The four invocations process different pixels but need the same
// centroids, so each of them loads only a quarter of the centroids.
//   similar[r, i, k] = sum_c x[c, i] * means[r, k, c] / max(|x[:, i]|, 1e-12)
// One invocation computes the dot products of 4 pixels with 16 centroids. A workgroup covers 64
// pixels. In the grid, `y` selects a group of 16 clusters, and `z` selects the round of clustering,
// `r`. The prelude (code that is put before this shader) defines the types E and E4 and the
// constants DEPTH, CLUSTERS and NORMALISED.

#import nonlocal/quadColumns

struct Params {
  length: u32,
  unused: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> means: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> similar: array<vec4f>;

const BLOCKS = (CLUSTERS + 3u) / 4u;

@compute @workgroup_size(16, 1, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = subgroup_lane & 3u;
  let pixel = group.x * 64u + local.x;
  let block = (group.y + params.group_row) * 4u;
  // An index beyond the last pixel or cluster is replaced with the last index. The results for such
  // an index are never read.
  let last = params.length - 1u;
  let i0 = min(pixel, last);
  let i1 = min(pixel + 16u, last);
  let i2 = min(pixel + 32u, last);
  let i3 = min(pixel + 48u, last);
  let cluster = block * 4u + lane;
  let first = group.z * CLUSTERS;
  let at_a = (first + min(cluster, CLUSTERS - 1u)) * DEPTH;
  let at_b = (first + min(cluster + 4u, CLUSTERS - 1u)) * DEPTH;
  let at_c = (first + min(cluster + 8u, CLUSTERS - 1u)) * DEPTH;
  let at_d = (first + min(cluster + 12u, CLUSTERS - 1u)) * DEPTH;
  var square = vec4f(0.0);
  #for k in 0..4
    #for r in 0..4
      var s{k}_{r} = vec4f(0.0);
    #end
  #end
  for (var i = 0u; i < DEPTH; i++) {
    let base = i * params.length;
    #for r in 0..4
      let v{r} = vec4f(x[base + i{r}]);
    #end
    let m0 = quad_columns(means[at_a + i]);
    let m1 = quad_columns(means[at_b + i]);
    let m2 = quad_columns(means[at_c + i]);
    let m3 = quad_columns(means[at_d + i]);
    square += vec4f(dot(v0, v0), dot(v1, v1), dot(v2, v2), dot(v3, v3));
    #for k in 0..4
      #for r in 0..4
        s{k}_{r} += v{r} * m{k};
      #end
    #end
  }
  let norm = select(vec4f(1.0), max(sqrt(square), vec4f(1e-12)), NORMALISED);
  let to = group.z * params.length;
  store(to, pixel, block, norm.x, s0_0, s1_0, s2_0, s3_0);
  store(to, pixel + 16u, block, norm.y, s0_1, s1_1, s2_1, s3_1);
  store(to, pixel + 32u, block, norm.z, s0_2, s1_2, s2_2, s3_2);
  store(to, pixel + 48u, block, norm.w, s0_3, s1_3, s2_3, s3_3);
}

fn store(first: u32, pixel: u32, block: u32, norm: f32, a: vec4f, b: vec4f, c: vec4f, d: vec4f) {
  if pixel >= params.length {
    return;
  }
  let at = (first + pixel) * BLOCKS + block;
  similar[at] = a / norm;
  if block + 1u < BLOCKS { similar[at + 1u] = b / norm; }
  if block + 2u < BLOCKS { similar[at + 2u] = c / norm; }
  if block + 3u < BLOCKS { similar[at + 3u] = d / norm; }
}
