// 3x3 convolution and pixel attention (arXiv 2010.01073, section 3.4), fused:
//   u = w3 * x + b3;  y = act1( u * sigmoid(w1 u + b1) )
// the 3x3 with zero padding, read through a nearest enlargement by UPSAMPLE, which is never
// materialised; w1 1x1 and square.
//
//   x       [IN_BLOCKS][h][w] vectors of 4 channels (Chw4c), H = h * UPSAMPLE, W = w * UPSAMPLE
//   weights mat4x4, column c = input channel c: w3 [BLOCKS][IN_BLOCKS][9], w1 [BLOCKS][BLOCKS]
//   bias    b3 [BLOCKS], b1 [BLOCKS]
//   y       [BLOCKS][H][W]
//
// A workgroup computes all channels of 8 x 8 pixels: invocation (g, b) the block b of four
// neighbouring pixels, of which group g of 16 is the (g / 2)th row and the (g % 2)th half. u crosses
// between blocks through workgroup memory, 64 * BLOCKS vectors.
// Prelude: E, E4, E4x4, IN_BLOCKS, BLOCKS (at most 16), UPSAMPLE, ACT1, SLOPE1.

struct Params {
  width: u32,       // W, of the output
  height: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

const_assert BLOCKS > 0u && BLOCKS <= 16u && IN_BLOCKS > 0u && UPSAMPLE > 0u;
const W1 = BLOCKS * IN_BLOCKS * 9u;

var<workgroup> exchange: array<vec4f, 64u * BLOCKS>;

fn read_x(base: u32, row: i32, col: i32) -> vec4f {
  if row < 0 || row >= i32(params.height) || col < 0 || col >= i32(params.width) {
    return vec4f(0.0);
  }
  return vec4f(x[base + u32(row) / UPSAMPLE * (params.width / UPSAMPLE) + u32(col) / UPSAMPLE]);
}

fn store(at: u32, inside: bool, u: vec4f, gate: vec4f) {
  if inside {
    y[at] = E4(activate(ACT1, SLOPE1, u * activate(ACTIVATION_SIGMOID, 0.0, gate)));
  }
}

@compute @workgroup_size(16, BLOCKS, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x % 2u * 4u;
  let row = (group.y + params.group_row) * 8u + local.x / 2u;
  let block = local.y;
  let plane = (params.width / UPSAMPLE) * (params.height / UPSAMPLE);
  let c = i32(col);

  let b3 = vec4f(bias[block]);
  var p0 = b3;
  var p1 = b3;
  var p2 = b3;
  var p3 = b3;
  for (var i = 0u; i < IN_BLOCKS; i++) {
    for (var k = 0u; k < 3u; k++) {
      let r = i32(row + k) - 1;
      let v0 = read_x(i * plane, r, c - 1);
      let v1 = read_x(i * plane, r, c);
      let v2 = read_x(i * plane, r, c + 1);
      let v3 = read_x(i * plane, r, c + 2);
      let v4 = read_x(i * plane, r, c + 3);
      let v5 = read_x(i * plane, r, c + 4);
      let tap = (block * IN_BLOCKS + i) * 9u + k * 3u;
      let w0 = mat4x4f(weights[tap]);
      let w1 = mat4x4f(weights[tap + 1u]);
      let w2 = mat4x4f(weights[tap + 2u]);
      p0 += w0 * v0 + w1 * v1 + w2 * v2;
      p1 += w0 * v1 + w1 * v2 + w2 * v3;
      p2 += w0 * v2 + w1 * v3 + w2 * v4;
      p3 += w0 * v3 + w1 * v4 + w2 * v5;
    }
  }

  let mine = local.x * 4u;
  exchange[block * 64u + mine] = p0;
  exchange[block * 64u + mine + 1u] = p1;
  exchange[block * 64u + mine + 2u] = p2;
  exchange[block * 64u + mine + 3u] = p3;
  workgroupBarrier();

  var g0 = vec4f(0.0);
  var g1 = vec4f(0.0);
  var g2 = vec4f(0.0);
  var g3 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    let w = mat4x4f(weights[W1 + block * BLOCKS + i]);
    g0 += w * exchange[i * 64u + mine];
    g1 += w * exchange[i * 64u + mine + 1u];
    g2 += w * exchange[i * 64u + mine + 2u];
    g3 += w * exchange[i * 64u + mine + 3u];
  }
  // The bias comes last, as in conv1x1.wgsl.
  let b1 = vec4f(bias[BLOCKS + block]);
  let at = (block * params.height + row) * params.width + col;
  let row_inside = row < params.height;
  store(at, row_inside && col < params.width, p0, g0 + b1);
  store(at + 1u, row_inside && col + 1u < params.width, p1, g1 + b1);
  store(at + 2u, row_inside && col + 2u < params.width, p2, g2 + b1);
  store(at + 3u, row_inside && col + 3u < params.width, p3, g3 + b1);
}
