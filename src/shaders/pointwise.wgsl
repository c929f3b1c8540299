// Element by element on feature maps, with an activation:
//   OP_COPY  y = act(a)
//   OP_MUL   y = act(a * b)
//   OP_ADD   y = act(a + b)
//   OP_MIX   y = act(p[0] * a + p[1] * b)     the dynamically weighted mix of arXiv 2104.09497, eq. 5
//
//   a, b, y [BLOCKS][H][W] vectors of 4 channels (Chw4c); p: two f32
// One invocation computes 4 channels of one pixel; workgroup 8 x 8 x 1; grid z = block.
// Prelude: E, E4, OP, ACT0, SLOPE0.

const OP_COPY = 0u;
const OP_MUL = 1u;
const OP_ADD = 2u;
const OP_MIX = 3u;

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<E4>;
@group(0) @binding(2) var<storage, read> b: array<E4>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }
  let at = (group.z * params.height + row) * params.width + col;
  var v = vec4f(a[at]);
  switch OP {
    case OP_MUL: { v *= vec4f(b[at]); }
    case OP_ADD: { v += vec4f(b[at]); }
    case OP_MIX: { v = p[0] * v + p[1] * vec4f(b[at]); }
    default: {}
  }
  y[at] = E4(activate(ACT0, SLOPE0, v));
}
