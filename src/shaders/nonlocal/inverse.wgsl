// Computes the inverse of a permutation: `inverse[permutation[i]]` is `i`. Both arrays are [length]
// u32. Each invocation processes one element. Workgroups have 64 invocations. The kernel needs no
// constants.

struct Params {
  length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> permutation: array<u32>;
@group(0) @binding(2) var<storage, read_write> inverse: array<u32>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x < params.length {
    inverse[permutation[id.x]] = id.x;
  }
}
