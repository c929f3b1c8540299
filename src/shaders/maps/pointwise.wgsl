// Elementwise operations on feature maps, with an activation:
//   OP_COPY  y = act(a)
//   OP_MUL   y = act(a * b)
//   OP_ADD   y = act(a + FACTOR * b)
//   OP_MIX   y = act(p[0] * a + p[1] * b)     the dynamically weighted mix of arXiv 2104.09497, eq. 5
//   OP_PRELU  y = act(a >= 0 ? a : p[c] * a)
//   OP_SCALE  y = act(p[c] * a)
//   OP_AFFINE y = act(p[2 c] * a + p[2 c + 1])
//
//   a, b, y [BLOCKS][H][W] vectors of 4 channels (Chw4c)
//   p f32: two for OP_MIX, one per channel for OP_PRELU and OP_SCALE, two per channel for OP_AFFINE
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the block of 4 channels. The prelude (code that is put before this shader)
// defines the types E and E4 and the constants OP, FACTOR, ACT0 and SLOPE0.

#import lib/activation

const OP_COPY = 0u;
const OP_MUL = 1u;
const OP_ADD = 2u;
const OP_MIX = 3u;
const OP_PRELU = 4u;
const OP_AFFINE = 5u;
const OP_SCALE = 6u;

#import lib/map

@group(0) @binding(1) var<storage, read> a: array<E4>;
@group(0) @binding(2) var<storage, read> b: array<E4>;
@group(0) @binding(3) var<storage, read> p: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let at = (group.z * params.height + row) * params.width + col;
  var v = vec4f(a[at]);
  switch OP {
    case OP_MUL: { v *= vec4f(b[at]); }
    case OP_ADD: { v += FACTOR * vec4f(b[at]); }
    case OP_MIX: { v = p[0] * v + p[1] * vec4f(b[at]); }
    case OP_PRELU: {
      let c = group.z * 4u;
      v = leaky(vec4f(p[c], p[c + 1u], p[c + 2u], p[c + 3u]), v);
    }
    case OP_SCALE: {
      let c = group.z * 4u;
      v *= vec4f(p[c], p[c + 1u], p[c + 2u], p[c + 3u]);
    }
    case OP_AFFINE: {
      let c = group.z * 8u;
      v = v * vec4f(p[c], p[c + 2u], p[c + 4u], p[c + 6u]) +
        vec4f(p[c + 1u], p[c + 3u], p[c + 5u], p[c + 7u]);
    }
    default: {}
  }
  y[at] = E4(activate(ACT0, SLOPE0, v));
}
