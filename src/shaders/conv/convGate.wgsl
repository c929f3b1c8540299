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
// A workgroup computes all channels of 8 x LANES pixels: invocation (l, b) the block b of the eight
// pixels of row l. u crosses between blocks through workgroup memory, 8 * LANES * BLOCKS vectors.
// Prelude: E, E4, E4x4, IN_BLOCKS, BLOCKS, LANES (LANES * BLOCKS at most 256), UPSAMPLE, ACT1,
//   SLOPE1.

#import lib/epilogue

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

const_assert BLOCKS > 0u && LANES * BLOCKS <= 256u && IN_BLOCKS > 0u && UPSAMPLE > 0u;
const PIXELS = 8u * LANES;
const W1 = BLOCKS * IN_BLOCKS * 9u;

var<workgroup> exchange: array<vec4f, PIXELS * BLOCKS>;

// The index is clamped rather than branched around: software drivers take branches dearly.
fn read_x(line: u32, col: i32, row_inside: bool) -> vec4f {
  let inside = row_inside && col >= 0 && col < i32(params.width);
  return select(vec4f(0.0), vec4f(x[line + select(0u, u32(col) / UPSAMPLE, inside)]), inside);
}

fn store(at: u32, inside: bool, u: vec4f, gate: vec4f) {
  if inside {
    y[at] = E4(activate(ACT1, SLOPE1, u * activate(ACTIVATION_SIGMOID, 0.0, gate)));
  }
}

@compute @workgroup_size(LANES, BLOCKS, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u;
  let row = (group.y + params.group_row) * LANES + local.x;
  let block = local.y;
  let w = params.width / UPSAMPLE;
  let plane = w * (params.height / UPSAMPLE);
  let c = i32(col);

  let b3 = vec4f(bias[block]);
  var p0 = b3;
  var p1 = b3;
  var p2 = b3;
  var p3 = b3;
  var p4 = b3;
  var p5 = b3;
  var p6 = b3;
  var p7 = b3;
  for (var i = 0u; i < IN_BLOCKS; i++) {
    for (var k = 0u; k < 3u; k++) {
      let in_row = i32(row + k) - 1;
      let inside = in_row >= 0 && in_row < i32(params.height);
      let line = i * plane + select(0u, u32(in_row) / UPSAMPLE, inside) * w;
      let taps = (block * IN_BLOCKS + i) * 9u + k * 3u;
      let w0 = mat4x4f(weights[taps]);
      let w1 = mat4x4f(weights[taps + 1u]);
      let w2 = mat4x4f(weights[taps + 2u]);
      let v0 = read_x(line, c - 1, inside);
      p0 += w0 * v0;
      let v1 = read_x(line, c, inside);
      p1 += w0 * v1;
      p0 += w1 * v1;
      let v2 = read_x(line, c + 1, inside);
      p2 += w0 * v2;
      p1 += w1 * v2;
      p0 += w2 * v2;
      let v3 = read_x(line, c + 2, inside);
      p3 += w0 * v3;
      p2 += w1 * v3;
      p1 += w2 * v3;
      let v4 = read_x(line, c + 3, inside);
      p4 += w0 * v4;
      p3 += w1 * v4;
      p2 += w2 * v4;
      let v5 = read_x(line, c + 4, inside);
      p5 += w0 * v5;
      p4 += w1 * v5;
      p3 += w2 * v5;
      let v6 = read_x(line, c + 5, inside);
      p6 += w0 * v6;
      p5 += w1 * v6;
      p4 += w2 * v6;
      let v7 = read_x(line, c + 6, inside);
      p7 += w0 * v7;
      p6 += w1 * v7;
      p5 += w2 * v7;
      let v8 = read_x(line, c + 7, inside);
      p7 += w1 * v8;
      p6 += w2 * v8;
      let v9 = read_x(line, c + 8, inside);
      p7 += w2 * v9;
    }
  }

  let slot = block * PIXELS + local.x * 8u;
  exchange[slot] = p0;
  exchange[slot + 1u] = p1;
  exchange[slot + 2u] = p2;
  exchange[slot + 3u] = p3;
  exchange[slot + 4u] = p4;
  exchange[slot + 5u] = p5;
  exchange[slot + 6u] = p6;
  exchange[slot + 7u] = p7;
  workgroupBarrier();

  var g0 = vec4f(0.0);
  var g1 = vec4f(0.0);
  var g2 = vec4f(0.0);
  var g3 = vec4f(0.0);
  var g4 = vec4f(0.0);
  var g5 = vec4f(0.0);
  var g6 = vec4f(0.0);
  var g7 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    let w = mat4x4f(weights[W1 + block * BLOCKS + i]);
    let source = i * PIXELS + local.x * 8u;
    g0 += w * exchange[source];
    g1 += w * exchange[source + 1u];
    g2 += w * exchange[source + 2u];
    g3 += w * exchange[source + 3u];
    g4 += w * exchange[source + 4u];
    g5 += w * exchange[source + 5u];
    g6 += w * exchange[source + 6u];
    g7 += w * exchange[source + 7u];
  }
  // The bias comes last, as in conv1x1.wgsl.
  let b1 = vec4f(bias[BLOCKS + block]);
  let at = (block * params.height + row) * params.width + col;
  let count = select(0u, min(8u, params.width - min(col, params.width)), row < params.height);
  store(at, 0u < count, p0, g0 + b1);
  store(at + 1u, 1u < count, p1, g1 + b1);
  store(at + 2u, 2u < count, p2, g2 + b1);
  store(at + 3u, 3u < count, p3, g3 + b1);
  store(at + 4u, 4u < count, p4, g4 + b1);
  store(at + 5u, 5u < count, p5, g5 + b1);
  store(at + 6u, 6u < count, p6, g6 + b1);
  store(at + 7u, 7u < count, p7, g7 + b1);
}
