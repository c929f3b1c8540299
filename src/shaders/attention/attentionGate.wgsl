// First half of an attention-in-attention block (arXiv 2104.09497, section 3.2), fused:
//   gated = k3(t) * sigmoid(k2(lrelu(k1(t))) + b2)
// with k1, k3 3x3 and k2 1x1, all C -> C, zero padding, no bias but b2. On the way it halves the work
// of the pooling: the first `stat_groups` workgroups sum a share of its partial sums each.
//
//   t, gated [BLOCKS][H][W] vectors of 4 channels (Chw4c)
//   weights  mat4x4, column c = input channel c: k1 [BLOCKS][BLOCKS][9], k3 likewise,
//            k2 [BLOCKS][BLOCKS]
//   bias     [BLOCKS]
//   partials [chunks][BLOCKS] vec4f: sums of t over parts of the image
//   stats    [stat_groups][BLOCKS] vec4f: sums of the partials
//
// A workgroup computes all channels of 8 x LANES pixels: invocation (l, b) the block b of the eight
// pixels of row l. The activated k1 crosses between blocks through workgroup memory,
// 8 * LANES * BLOCKS vectors. Eight pixels share each weight that is loaded.
// Prelude: E, E4, E4x4, BLOCKS, LANES (LANES * BLOCKS at most 256), SLOPE.

#import lib/epilogue

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  chunks: u32,
  stat_groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> t: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> partials: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> gated: array<E4>;
@group(0) @binding(6) var<storage, read_write> stats: array<vec4f>;

const_assert BLOCKS > 0u && LANES * BLOCKS <= 256u;
const PIXELS = 8u * LANES;
const K3 = BLOCKS * BLOCKS * 9u;
const K2 = 2u * K3;

var<workgroup> exchange: array<vec4f, PIXELS * BLOCKS>;

// The index is clamped rather than branched around: software drivers take branches dearly.
fn read_t(line: u32, col: i32, row_inside: bool) -> vec4f {
  let inside = row_inside && col >= 0 && col < i32(params.width);
  return select(vec4f(0.0), vec4f(t[line + select(0u, u32(col), inside)]), inside);
}

fn store(at: u32, inside: bool, value: vec4f, gate: vec4f) {
  if inside {
    gated[at] = E4(value * activate(ACTIVATION_SIGMOID, 0.0, gate));
  }
}

@compute @workgroup_size(LANES, BLOCKS, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let col = group.x * 8u;
  let row = (group.y + params.group_row) * LANES + local.x;
  let block = local.y;
  let plane = params.width * params.height;
  let c = i32(col);

  var p0 = vec4f(0.0);
  var p1 = vec4f(0.0);
  var p2 = vec4f(0.0);
  var p3 = vec4f(0.0);
  var p4 = vec4f(0.0);
  var p5 = vec4f(0.0);
  var p6 = vec4f(0.0);
  var p7 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    for (var k = 0u; k < 3u; k++) {
      let in_row = i32(row + k) - 1;
      let inside = in_row >= 0 && in_row < i32(params.height);
      let line = i * plane + select(0u, u32(in_row), inside) * params.width;
      let taps = (block * BLOCKS + i) * 9u + k * 3u;
      let w0 = mat4x4f(weights[taps]);
      let w1 = mat4x4f(weights[taps + 1u]);
      let w2 = mat4x4f(weights[taps + 2u]);
      let v0 = read_t(line, c - 1, inside);
      p0 += w0 * v0;
      let v1 = read_t(line, c, inside);
      p1 += w0 * v1;
      p0 += w1 * v1;
      let v2 = read_t(line, c + 1, inside);
      p2 += w0 * v2;
      p1 += w1 * v2;
      p0 += w2 * v2;
      let v3 = read_t(line, c + 2, inside);
      p3 += w0 * v3;
      p2 += w1 * v3;
      p1 += w2 * v3;
      let v4 = read_t(line, c + 3, inside);
      p4 += w0 * v4;
      p3 += w1 * v4;
      p2 += w2 * v4;
      let v5 = read_t(line, c + 4, inside);
      p5 += w0 * v5;
      p4 += w1 * v5;
      p3 += w2 * v5;
      let v6 = read_t(line, c + 5, inside);
      p6 += w0 * v6;
      p5 += w1 * v6;
      p4 += w2 * v6;
      let v7 = read_t(line, c + 6, inside);
      p7 += w0 * v7;
      p6 += w1 * v7;
      p5 += w2 * v7;
      let v8 = read_t(line, c + 7, inside);
      p7 += w1 * v8;
      p6 += w2 * v8;
      let v9 = read_t(line, c + 8, inside);
      p7 += w2 * v9;
    }
  }

  let slot = block * PIXELS + local.x * 8u;
  exchange[slot] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p0);
  exchange[slot + 1u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p1);
  exchange[slot + 2u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p2);
  exchange[slot + 3u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p3);
  exchange[slot + 4u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p4);
  exchange[slot + 5u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p5);
  exchange[slot + 6u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p6);
  exchange[slot + 7u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p7);
  workgroupBarrier();

  let b = vec4f(bias[block]);
  p0 = b;
  p1 = b;
  p2 = b;
  p3 = b;
  p4 = b;
  p5 = b;
  p6 = b;
  p7 = b;
  for (var i = 0u; i < BLOCKS; i++) {
    let w = mat4x4f(weights[K2 + block * BLOCKS + i]);
    let source = i * PIXELS + local.x * 8u;
    p0 += w * exchange[source];
    p1 += w * exchange[source + 1u];
    p2 += w * exchange[source + 2u];
    p3 += w * exchange[source + 3u];
    p4 += w * exchange[source + 4u];
    p5 += w * exchange[source + 5u];
    p6 += w * exchange[source + 6u];
    p7 += w * exchange[source + 7u];
  }

  var q0 = vec4f(0.0);
  var q1 = vec4f(0.0);
  var q2 = vec4f(0.0);
  var q3 = vec4f(0.0);
  var q4 = vec4f(0.0);
  var q5 = vec4f(0.0);
  var q6 = vec4f(0.0);
  var q7 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    for (var k = 0u; k < 3u; k++) {
      let in_row = i32(row + k) - 1;
      let inside = in_row >= 0 && in_row < i32(params.height);
      let line = i * plane + select(0u, u32(in_row), inside) * params.width;
      let taps = K3 + (block * BLOCKS + i) * 9u + k * 3u;
      let w0 = mat4x4f(weights[taps]);
      let w1 = mat4x4f(weights[taps + 1u]);
      let w2 = mat4x4f(weights[taps + 2u]);
      let v0 = read_t(line, c - 1, inside);
      q0 += w0 * v0;
      let v1 = read_t(line, c, inside);
      q1 += w0 * v1;
      q0 += w1 * v1;
      let v2 = read_t(line, c + 1, inside);
      q2 += w0 * v2;
      q1 += w1 * v2;
      q0 += w2 * v2;
      let v3 = read_t(line, c + 2, inside);
      q3 += w0 * v3;
      q2 += w1 * v3;
      q1 += w2 * v3;
      let v4 = read_t(line, c + 3, inside);
      q4 += w0 * v4;
      q3 += w1 * v4;
      q2 += w2 * v4;
      let v5 = read_t(line, c + 4, inside);
      q5 += w0 * v5;
      q4 += w1 * v5;
      q3 += w2 * v5;
      let v6 = read_t(line, c + 5, inside);
      q6 += w0 * v6;
      q5 += w1 * v6;
      q4 += w2 * v6;
      let v7 = read_t(line, c + 6, inside);
      q7 += w0 * v7;
      q6 += w1 * v7;
      q5 += w2 * v7;
      let v8 = read_t(line, c + 7, inside);
      q7 += w1 * v8;
      q6 += w2 * v8;
      let v9 = read_t(line, c + 8, inside);
      q7 += w2 * v9;
    }
  }

  let at = block * plane + row * params.width + col;
  let count = select(0u, min(8u, params.width - min(col, params.width)), row < params.height);
  store(at, 0u < count, q0, p0);
  store(at + 1u, 1u < count, q1, p1);
  store(at + 2u, 2u < count, q2, p2);
  store(at + 3u, 3u < count, q3, p3);
  store(at + 4u, 4u < count, q4, p4);
  store(at + 5u, 5u < count, q5, p5);
  store(at + 6u, 6u < count, q6, p6);
  store(at + 7u, 7u < count, q7, p7);

  // A share of the pooling; uniform across the workgroup, so barriers are allowed inside.
  let index = (group.y + params.group_row) * groups.x + group.x;
  if index < params.stat_groups {
    let last = (index + 1u) * params.chunks / params.stat_groups;
    var sum = vec4f(0.0);
    for (var i = index * params.chunks / params.stat_groups + local.x; i < last; i += LANES) {
      sum += partials[i * BLOCKS + block];
    }
    workgroupBarrier();
    exchange[block * LANES + local.x] = sum;
    workgroupBarrier();
    if local.x == 0u {
      for (var i = 1u; i < LANES; i++) {
        sum += exchange[block * LANES + i];
      }
      stats[index * BLOCKS + block] = sum;
    }
  }
}
