alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;

// The second step of the stable counting sort of cluster codes. For each code and each block, it
// computes the sorted position of the block's first element with that code. This position is the
// exclusive prefix sum of the counts, which are ordered by code and, for the same code, by block.
//   counts, starts [R][total] u32. `total` is the number of codes times the number of blocks.
// Each workgroup has 256 invocations and processes one round. Each invocation processes a range of
// consecutive counts. The workgroup's `z` index is the round `r`.

struct Params {
  total: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> starts: array<u32>;

var<workgroup> sums: array<u32, 256>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let stretch = (params.total + 255u) / 256u;
  let first = min(local.x * stretch, params.total);
  let end = min(first + stretch, params.total);
  let base = group.z * params.total;
  var sum = 0u;
  for (var i = first; i < end; i++) {
    sum += counts[base + i];
  }
  sums[local.x] = sum;
  workgroupBarrier();
  var before = 0u;
  for (var i = 0u; i < local.x; i++) {
    before += sums[i];
  }
  for (var i = first; i < end; i++) {
    starts[base + i] = before;
    before += counts[base + i];
  }
}
