// Second half of an attention-in-attention block (arXiv 2104.09497, sections 3.2 and 3.3), fused with
// the beginning of the next one:
//   v = mean of t;  (p0, p1) = softmax(W2 relu(W1 v) / TEMPERATURE)      dynamic attention module
//   m = lrelu(p0 * k4(gated) + p1 * non(t))
//   out = x + last(m)
//   next_t = lrelu(first(out)), and its sums for the next pooling        (has_next)
// k4 is 3x3, non is 3x3 (NON_TAPS = 9, A2N) or 1x1 (NON_TAPS = 1, A2N-M), last and first are 1x1; all
// C -> C, zero padding, no bias.
//
//   gated, t, x, out, next_t [BLOCKS][H][W] vectors of 4 channels (Chw4c)
//   weights  mat4x4, column c = input channel c: k4 [BLOCKS][BLOCKS][9], non [..][..][NON_TAPS],
//            last [BLOCKS][BLOCKS], W1 [HIDDEN_BLOCKS][BLOCKS], W2 [1][HIDDEN_BLOCKS],
//            first [BLOCKS][BLOCKS] (has_next)
//   stats    [stat_groups][BLOCKS] vec4f: sums of t over parts of the image (attentionGate.wgsl)
//   partials [workgroups][BLOCKS] vec4f: sums of next_t over each workgroup's pixels
//
// A workgroup computes all channels of 8 x LANES pixels: invocation (l, b) the block b of the eight
// pixels of row l. m and out cross between blocks through workgroup memory, 8 * LANES * BLOCKS
// vectors.
// Prelude: E, E4, E4x4, BLOCKS, LANES (LANES * BLOCKS at most 256), HIDDEN_BLOCKS, NON_TAPS,
//   TEMPERATURE, SLOPE.

#import lib/epilogue

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  stat_groups: u32,
  has_next: u32,    // a uniform, so that the last block shares the others' pipeline
  pixels: u32,      // that the stats are sums over
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gated: array<E4>;
@group(0) @binding(2) var<storage, read> t: array<E4>;
@group(0) @binding(3) var<storage, read> x: array<E4>;
@group(0) @binding(4) var<storage, read> weights: array<E4x4>;
@group(0) @binding(5) var<storage, read> stats: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<E4>;
@group(0) @binding(7) var<storage, read_write> next_t: array<E4>;
@group(0) @binding(8) var<storage, read_write> partials: array<vec4f>;

const_assert BLOCKS > 0u && LANES * BLOCKS <= 256u && HIDDEN_BLOCKS <= BLOCKS;
const_assert NON_TAPS == 9u || NON_TAPS == 1u;
const PIXELS = 8u * LANES;
const NON = BLOCKS * BLOCKS * 9u;
const LAST = NON + BLOCKS * BLOCKS * NON_TAPS;
const W1 = LAST + BLOCKS * BLOCKS;
const W2 = W1 + HIDDEN_BLOCKS * BLOCKS;
const FIRST = W2 + HIDDEN_BLOCKS;

var<workgroup> exchange: array<vec4f, PIXELS * BLOCKS>;
var<workgroup> branch: vec2f;

// The index is clamped rather than branched around: software drivers take branches dearly.
fn read_gated(line: u32, col: i32, row_inside: bool) -> vec4f {
  let inside = row_inside && col >= 0 && col < i32(params.width);
  return select(vec4f(0.0), vec4f(gated[line + select(0u, u32(col), inside)]), inside);
}

fn read_t(line: u32, col: i32, row_inside: bool) -> vec4f {
  let inside = row_inside && col >= 0 && col < i32(params.width);
  return select(vec4f(0.0), vec4f(t[line + select(0u, u32(col), inside)]), inside);
}

// The two branch weights into `branch`; every invocation of the workgroup must call it.
fn dynamic_weights(lane: u32, block: u32) {
  var sum = vec4f(0.0);
  for (var i = lane; i < params.stat_groups; i += LANES) {
    sum += stats[i * BLOCKS + block];
  }
  exchange[block * LANES + lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < LANES; i++) {
      sum += exchange[block * LANES + i];
    }
  }
  workgroupBarrier();
  if lane == 0u {
    exchange[block] = sum / f32(params.pixels);
  }
  workgroupBarrier();
  if lane == 0u && block < HIDDEN_BLOCKS {
    var hidden = vec4f(0.0);
    for (var i = 0u; i < BLOCKS; i++) {
      hidden += mat4x4f(weights[W1 + block * BLOCKS + i]) * exchange[i];
    }
    exchange[BLOCKS + block] = max(hidden, vec4f(0.0));
  }
  workgroupBarrier();
  if lane == 0u && block == 0u {
    var z = vec4f(0.0);
    for (var i = 0u; i < HIDDEN_BLOCKS; i++) {
      z += mat4x4f(weights[W2 + i]) * exchange[BLOCKS + i];
    }
    let e = exp((z.xy - max(z.x, z.y)) / TEMPERATURE);
    branch = e / (e.x + e.y);
  }
  workgroupBarrier();
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

  dynamic_weights(local.x, block);

  // Attention branch, then the other: each has the accumulators to itself in its turn.
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
      let v0 = read_gated(line, c - 1, inside);
      p0 += w0 * v0;
      let v1 = read_gated(line, c, inside);
      p1 += w0 * v1;
      p0 += w1 * v1;
      let v2 = read_gated(line, c + 1, inside);
      p2 += w0 * v2;
      p1 += w1 * v2;
      p0 += w2 * v2;
      let v3 = read_gated(line, c + 2, inside);
      p3 += w0 * v3;
      p2 += w1 * v3;
      p1 += w2 * v3;
      let v4 = read_gated(line, c + 3, inside);
      p4 += w0 * v4;
      p3 += w1 * v4;
      p2 += w2 * v4;
      let v5 = read_gated(line, c + 4, inside);
      p5 += w0 * v5;
      p4 += w1 * v5;
      p3 += w2 * v5;
      let v6 = read_gated(line, c + 5, inside);
      p6 += w0 * v6;
      p5 += w1 * v6;
      p4 += w2 * v6;
      let v7 = read_gated(line, c + 6, inside);
      p7 += w0 * v7;
      p6 += w1 * v7;
      p5 += w2 * v7;
      let v8 = read_gated(line, c + 7, inside);
      p7 += w1 * v8;
      p6 += w2 * v8;
      let v9 = read_gated(line, c + 8, inside);
      p7 += w2 * v9;
    }
  }
  var q0 = vec4f(0.0);
  var q1 = vec4f(0.0);
  var q2 = vec4f(0.0);
  var q3 = vec4f(0.0);
  var q4 = vec4f(0.0);
  var q5 = vec4f(0.0);
  var q6 = vec4f(0.0);
  var q7 = vec4f(0.0);
  if NON_TAPS == 9u {
    for (var i = 0u; i < BLOCKS; i++) {
      for (var k = 0u; k < 3u; k++) {
        let in_row = i32(row + k) - 1;
        let inside = in_row >= 0 && in_row < i32(params.height);
        let line = i * plane + select(0u, u32(in_row), inside) * params.width;
        let taps = NON + (block * BLOCKS + i) * 9u + k * 3u;
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
  } else {
    let inside = row < params.height;
    for (var i = 0u; i < BLOCKS; i++) {
      let line = i * plane + select(0u, row, inside) * params.width;
      let w = mat4x4f(weights[NON + block * BLOCKS + i]);
      q0 += w * read_t(line, c, inside);
      q1 += w * read_t(line, c + 1, inside);
      q2 += w * read_t(line, c + 2, inside);
      q3 += w * read_t(line, c + 3, inside);
      q4 += w * read_t(line, c + 4, inside);
      q5 += w * read_t(line, c + 5, inside);
      q6 += w * read_t(line, c + 6, inside);
      q7 += w * read_t(line, c + 7, inside);
    }
  }

  let slot = block * PIXELS + local.x * 8u;
  exchange[slot] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p0 + branch.y * q0);
  exchange[slot + 1u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p1 + branch.y * q1);
  exchange[slot + 2u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p2 + branch.y * q2);
  exchange[slot + 3u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p3 + branch.y * q3);
  exchange[slot + 4u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p4 + branch.y * q4);
  exchange[slot + 5u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p5 + branch.y * q5);
  exchange[slot + 6u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p6 + branch.y * q6);
  exchange[slot + 7u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p7 + branch.y * q7);
  workgroupBarrier();

  p0 = vec4f(0.0);
  p1 = vec4f(0.0);
  p2 = vec4f(0.0);
  p3 = vec4f(0.0);
  p4 = vec4f(0.0);
  p5 = vec4f(0.0);
  p6 = vec4f(0.0);
  p7 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    let w = mat4x4f(weights[LAST + block * BLOCKS + i]);
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
  let at = block * plane + row * params.width + col;
  let count = select(0u, min(8u, params.width - min(col, params.width)), row < params.height);
  if 0u < count {
    p0 += vec4f(x[at]);
    out[at] = E4(p0);
  }
  if 1u < count {
    p1 += vec4f(x[at + 1u]);
    out[at + 1u] = E4(p1);
  }
  if 2u < count {
    p2 += vec4f(x[at + 2u]);
    out[at + 2u] = E4(p2);
  }
  if 3u < count {
    p3 += vec4f(x[at + 3u]);
    out[at + 3u] = E4(p3);
  }
  if 4u < count {
    p4 += vec4f(x[at + 4u]);
    out[at + 4u] = E4(p4);
  }
  if 5u < count {
    p5 += vec4f(x[at + 5u]);
    out[at + 5u] = E4(p5);
  }
  if 6u < count {
    p6 += vec4f(x[at + 6u]);
    out[at + 6u] = E4(p6);
  }
  if 7u < count {
    p7 += vec4f(x[at + 7u]);
    out[at + 7u] = E4(p7);
  }

  if params.has_next != 0u {
    workgroupBarrier();
    exchange[slot] = p0;
    exchange[slot + 1u] = p1;
    exchange[slot + 2u] = p2;
    exchange[slot + 3u] = p3;
    exchange[slot + 4u] = p4;
    exchange[slot + 5u] = p5;
    exchange[slot + 6u] = p6;
    exchange[slot + 7u] = p7;
    workgroupBarrier();
    p0 = vec4f(0.0);
    p1 = vec4f(0.0);
    p2 = vec4f(0.0);
    p3 = vec4f(0.0);
    p4 = vec4f(0.0);
    p5 = vec4f(0.0);
    p6 = vec4f(0.0);
    p7 = vec4f(0.0);
    for (var i = 0u; i < BLOCKS; i++) {
      let w = mat4x4f(weights[FIRST + block * BLOCKS + i]);
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
    var sum = vec4f(0.0);
    if 0u < count {
      p0 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p0);
      sum += p0;
      next_t[at] = E4(p0);
    }
    if 1u < count {
      p1 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p1);
      sum += p1;
      next_t[at + 1u] = E4(p1);
    }
    if 2u < count {
      p2 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p2);
      sum += p2;
      next_t[at + 2u] = E4(p2);
    }
    if 3u < count {
      p3 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p3);
      sum += p3;
      next_t[at + 3u] = E4(p3);
    }
    if 4u < count {
      p4 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p4);
      sum += p4;
      next_t[at + 4u] = E4(p4);
    }
    if 5u < count {
      p5 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p5);
      sum += p5;
      next_t[at + 5u] = E4(p5);
    }
    if 6u < count {
      p6 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p6);
      sum += p6;
      next_t[at + 6u] = E4(p6);
    }
    if 7u < count {
      p7 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p7);
      sum += p7;
      next_t[at + 7u] = E4(p7);
    }
    workgroupBarrier();
    exchange[block * LANES + local.x] = sum;
    workgroupBarrier();
    if local.x == 0u {
      for (var i = 1u; i < LANES; i++) {
        sum += exchange[block * LANES + i];
      }
      let index = (group.y + params.group_row) * groups.x + group.x;
      partials[index * BLOCKS + block] = sum;
    }
  }
}
