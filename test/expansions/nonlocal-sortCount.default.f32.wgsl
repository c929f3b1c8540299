alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CLUSTERS = 128u;

// The first step of the stable counting sort of cluster codes. It counts how often each code occurs
// in each block of 256 positions.
//   codes  [R][length] u32. In round r, the lowest code is r * CLUSTERS.
//   counts [R][CLUSTERS][blocks] u32
// Each workgroup has 256 invocations and processes one block. In the grid, `x` selects the block,
// and `z` selects the round `r`. Each invocation counts different codes, so the kernel needs no
// atomics. The prelude (code that is put before this shader) defines CLUSTERS.

struct Params {
  length: u32,
  blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

const NONE = 0xffffffffu;
var<workgroup> part: array<u32, 256>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let position = group.x * 256u + local.x;
  part[local.x] = NONE;
  if position < params.length {
    part[local.x] = codes[group.z * params.length + position];
  }
  workgroupBarrier();
  for (var k = local.x; k < CLUSTERS; k += 256u) {
    let code = group.z * CLUSTERS + k;
    var count = 0u;
    for (var i = 0u; i < 256u; i++) {
      count += select(0u, 1u, part[i] == code);
    }
    counts[code * params.blocks + group.x] = count;
  }
}
