alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const DEPTH = 8u;
const CLUSTERS = 128u;
const NORMALISED = true;

// Computes dot products of a map's pixels with centroids. With NORMALISED, pixels are divided by
// their norms:
//   similar[r, i, k] = sum_c x[c, i] * means[r, k, c] / max(|x[:, i]|, 1e-12)
//   x       [DEPTH][length] vectors of 4 channels (Chw4c, pixels in one row)
//   means   [R][CLUSTERS][DEPTH] vectors of 4 channels, with zeros in absent channels
//   similar [R][length][ceil(CLUSTERS / 4)] vectors of 4 clusters
// One invocation computes the dot products of one pixel with 4 centroids. Workgroups have 64
// invocations. In the grid, `y` selects the block of clusters, and `z` selects the round of
// clustering, `r`. The prelude (code that is put before this shader) defines E, E4, DEPTH, CLUSTERS
// and NORMALISED.

struct Params {
  length: u32,
  unused: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> means: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> similar: array<vec4f>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let pixel = group.x * 64u + local.x;
  let block = group.y + params.group_row;
  if pixel >= params.length {
    return;
  }
  // If the last block has fewer than 4 clusters, the last cluster is used for the missing ones.
  // Their results are never read.
  let first = group.z * CLUSTERS;
  let k = vec4u(block * 4u) + vec4u(0u, 1u, 2u, 3u);
  let at = (vec4u(first) + min(k, vec4u(CLUSTERS - 1u))) * DEPTH;
  var sum = vec4f(0.0);
  var square = 0.0;
  for (var d = 0u; d < DEPTH; d++) {
    let v = vec4f(x[d * params.length + pixel]);
    square += dot(v, v);
    sum += vec4f(
      dot(v, means[at.x + d]),
      dot(v, means[at.y + d]),
      dot(v, means[at.z + d]),
      dot(v, means[at.w + d]),
    );
  }
  if NORMALISED {
    sum /= max(sqrt(square), 1e-12);
  }
  let blocks = (CLUSTERS + 3u) / 4u;
  similar[(group.z * params.length + pixel) * blocks + block] = sum;
}
