// The second step of the stable counting sort. It computes an exclusive prefix sum of the counts,
// by code and then by block. The sum for a code and a block is the position, in the sorted order,
// of the block's first element with that code.
//   counts, starts [R][total] u32
// Each workgroup has 256 invocations and processes one round. Each invocation scans one contiguous
// range. The grid's `z` selects the round `r`. The kernel needs no constants.

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
