alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CLUSTERS = 128u;

// The last step of the stable counting sort of cluster codes. It computes the position of each
// element in the sorted order. Elements with the same code keep their order.
//   codes [R][length], starts [R][CLUSTERS][blocks], rank [R][length], all u32
// In round `r`, `r * length` is added to each position. Each workgroup has 256 invocations and
// processes one block of 256 elements. In the grid, `x` selects the block, and `z` selects the
// round `r`. The prelude (code that is put before this shader) defines CLUSTERS.

struct Params {
  length: u32,
  blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read_write> rank: array<u32>;

const NONE = 0xffffffffu;
var<workgroup> part: array<u32, 256>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let position = group.x * 256u + local.x;
  let at = group.z * params.length + position;
  part[local.x] = NONE;
  if position < params.length {
    part[local.x] = codes[at];
  }
  workgroupBarrier();
  if position >= params.length {
    return;
  }
  let code = part[local.x];
  var before = 0u;
  for (var i = 0u; i < local.x; i++) {
    before += select(0u, 1u, part[i] == code);
  }
  rank[at] = group.z * params.length + starts[code * params.blocks + group.x] + before;
}
