alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const DEPTH = 8u;
const CLUSTERS = 128u;

// Performs one step of k-means. Each centroid becomes the sum of its members, divided by the norm
// of that sum (at least 1e-12). An empty cluster keeps its centroid.
//   x      [DEPTH][length] vectors of 4 channels (Chw4c)
//   codes, order [R][length] u32; before, means [R][CLUSTERS][DEPTH] vectors of f32
// The buffer `order` lists the pixels in the order of their codes. The kernel finds a cluster's
// members in this list by binary search and adds them in the list's order, so the result is
// deterministic. Each workgroup has 64 invocations and processes one cluster. In the grid, `x`
// selects the cluster, and `z` selects the round of clustering, `r`. The prelude (code that is put
// before this shader) defines the type E4 and the constants DEPTH and CLUSTERS.

struct Params {
  length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> before: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> means: array<vec4f>;

var<workgroup> sums: array<vec4f, DEPTH>;

// Returns how many of a round's codes are less than `code`.
fn lower_bound(base: u32, code: u32) -> u32 {
  var low = 0u;
  var high = params.length;
  while low < high {
    let middle = (low + high) / 2u;
    if codes[order[base + middle]] < code {
      low = middle + 1u;
    } else {
      high = middle;
    }
  }
  return low;
}

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let base = group.z * params.length;
  let code = group.z * CLUSTERS + group.x;
  let first = lower_bound(base, code);
  let end = lower_bound(base, code + 1u);
  for (var d = local.x; d < DEPTH; d += 64u) {
    var sum = vec4f(0.0);
    for (var j = first; j < end; j++) {
      sum += vec4f(x[d * params.length + order[base + j] - base]);
    }
    sums[d] = sum;
  }
  workgroupBarrier();
  var square = 0.0;
  for (var d = 0u; d < DEPTH; d++) {
    square += dot(sums[d], sums[d]);
  }
  let size = max(sqrt(square), 1e-12);
  for (var d = local.x; d < DEPTH; d += 64u) {
    let at = code * DEPTH + d;
    if first == end {
      means[at] = before[at];
    } else {
      means[at] = sums[d] / size;
    }
  }
}
