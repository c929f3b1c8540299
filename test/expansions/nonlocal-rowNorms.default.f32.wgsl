alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const BLOCKS = 8u;

// Computes the reciprocal of each row's norm, for attention keys. Norms below 5e-5 count as 5e-5.
// `rows` is [count][BLOCKS] vectors of 4 channels, and `inverse` is [count] f32. Each invocation
// processes one row. Workgroups have 64 invocations.
// The prelude (code that is put before this shader) defines the type E4 and the constant BLOCKS.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<E4>;
@group(0) @binding(2) var<storage, read_write> inverse: array<f32>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x >= params.count {
    return;
  }
  var square = 0.0;
  for (var b = 0u; b < BLOCKS; b++) {
    let v = vec4f(rows[id.x * BLOCKS + b]);
    square += dot(v, v);
  }
  inverse[id.x] = 1.0 / max(sqrt(square), 5e-5);
}
