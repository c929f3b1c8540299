// Second half of an attention-in-attention block (arXiv 2104.09497, sections 3.2 and 3.3), fused with
// the beginning of the next one:
//   v = mean of t;  (p0, p1) = softmax(W2 relu(W1 v) / TEMPERATURE)      dynamic attention module
//   m = lrelu(p0 * k4(gated) + p1 * non(t))
//   out = x + last(m)
//   next_t = lrelu(first(out)), and its sums for the next pooling        (HAS_NEXT)
// k4 is 3x3, non is 3x3 (NON_TAPS = 9, A2N) or 1x1 (NON_TAPS = 1, A2N-M), last and first are 1x1; all
// C -> C, zero padding, no bias.
//
//   gated, t, x, out, next_t [BLOCKS][H][W] vectors of 4 channels (Chw4c)
//   weights  mat4x4, column c = input channel c: k4 [BLOCKS][BLOCKS][9], non [..][..][NON_TAPS],
//            last [BLOCKS][BLOCKS], first likewise (HAS_NEXT), W1 [HIDDEN_BLOCKS][BLOCKS],
//            W2 [1][HIDDEN_BLOCKS]
//   stats    [stat_groups][BLOCKS] vec4f: sums of t over parts of the image (attentionGate.wgsl)
//   partials [workgroups][BLOCKS] vec4f: sums of next_t over each workgroup's pixels
//
// A workgroup computes all channels of 8 x 8 pixels, laid out as in attentionGate.wgsl; m and out
// cross between blocks through workgroup memory.
// Prelude: E, E4, E4x4, BLOCKS (at most 15), HIDDEN_BLOCKS, NON_TAPS, TEMPERATURE, SLOPE, HAS_NEXT.

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  stat_groups: u32,
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

const_assert BLOCKS > 0u && BLOCKS <= 15u && HIDDEN_BLOCKS <= BLOCKS;
const_assert NON_TAPS == 9u || NON_TAPS == 1u;
const NON = BLOCKS * BLOCKS * 9u;
const LAST = NON + BLOCKS * BLOCKS * NON_TAPS;
const FIRST = LAST + BLOCKS * BLOCKS;
const W1 = FIRST + select(0u, BLOCKS * BLOCKS, HAS_NEXT);
const W2 = W1 + HIDDEN_BLOCKS * BLOCKS;

var<workgroup> exchange: array<vec4f, 64u * BLOCKS>;
var<workgroup> branch: vec2f;

fn inside(row: i32, col: i32) -> bool {
  return row >= 0 && row < i32(params.height) && col >= 0 && col < i32(params.width);
}

fn read_gated(base: u32, row: i32, col: i32) -> vec4f {
  if !inside(row, col) {
    return vec4f(0.0);
  }
  return vec4f(gated[base + u32(row) * params.width + u32(col)]);
}

fn read_t(base: u32, row: i32, col: i32) -> vec4f {
  if !inside(row, col) {
    return vec4f(0.0);
  }
  return vec4f(t[base + u32(row) * params.width + u32(col)]);
}

// The two branch weights into `branch`; every invocation of the workgroup must call it.
fn dynamic_weights(lane: u32, block: u32) {
  var sum = vec4f(0.0);
  for (var i = lane; i < params.stat_groups; i += 16u) {
    sum += stats[i * BLOCKS + block];
  }
  exchange[block * 16u + lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < 16u; i++) {
      sum += exchange[block * 16u + i];
    }
  }
  workgroupBarrier();
  if lane == 0u {
    exchange[block] = sum / f32(params.width * params.height);
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

@compute @workgroup_size(16, BLOCKS, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let col = group.x * 8u + local.x % 2u * 4u;
  let row = (group.y + params.group_row) * 8u + local.x / 2u;
  let block = local.y;
  let plane = params.width * params.height;
  let c = i32(col);

  dynamic_weights(local.x, block);

  // Attention branch, then the other: each has the accumulators to itself in its turn.
  var p0 = vec4f(0.0);
  var p1 = vec4f(0.0);
  var p2 = vec4f(0.0);
  var p3 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    for (var k = 0u; k < 3u; k++) {
      let r = i32(row + k) - 1;
      let v0 = read_gated(i * plane, r, c - 1);
      let v1 = read_gated(i * plane, r, c);
      let v2 = read_gated(i * plane, r, c + 1);
      let v3 = read_gated(i * plane, r, c + 2);
      let v4 = read_gated(i * plane, r, c + 3);
      let v5 = read_gated(i * plane, r, c + 4);
      let tap = (block * BLOCKS + i) * 9u + k * 3u;
      let w0 = mat4x4f(weights[tap]);
      let w1 = mat4x4f(weights[tap + 1u]);
      let w2 = mat4x4f(weights[tap + 2u]);
      p0 += w0 * v0 + w1 * v1 + w2 * v2;
      p1 += w0 * v1 + w1 * v2 + w2 * v3;
      p2 += w0 * v2 + w1 * v3 + w2 * v4;
      p3 += w0 * v3 + w1 * v4 + w2 * v5;
    }
  }
  var q0 = vec4f(0.0);
  var q1 = vec4f(0.0);
  var q2 = vec4f(0.0);
  var q3 = vec4f(0.0);
  if NON_TAPS == 9u {
    for (var i = 0u; i < BLOCKS; i++) {
      for (var k = 0u; k < 3u; k++) {
        let r = i32(row + k) - 1;
        let v0 = read_t(i * plane, r, c - 1);
        let v1 = read_t(i * plane, r, c);
        let v2 = read_t(i * plane, r, c + 1);
        let v3 = read_t(i * plane, r, c + 2);
        let v4 = read_t(i * plane, r, c + 3);
        let v5 = read_t(i * plane, r, c + 4);
        let tap = NON + (block * BLOCKS + i) * 9u + k * 3u;
        let w0 = mat4x4f(weights[tap]);
        let w1 = mat4x4f(weights[tap + 1u]);
        let w2 = mat4x4f(weights[tap + 2u]);
        q0 += w0 * v0 + w1 * v1 + w2 * v2;
        q1 += w0 * v1 + w1 * v2 + w2 * v3;
        q2 += w0 * v2 + w1 * v3 + w2 * v4;
        q3 += w0 * v3 + w1 * v4 + w2 * v5;
      }
    }
  } else {
    for (var i = 0u; i < BLOCKS; i++) {
      let w = mat4x4f(weights[NON + block * BLOCKS + i]);
      q0 += w * read_t(i * plane, i32(row), c);
      q1 += w * read_t(i * plane, i32(row), c + 1);
      q2 += w * read_t(i * plane, i32(row), c + 2);
      q3 += w * read_t(i * plane, i32(row), c + 3);
    }
  }

  let mine = local.x * 4u;
  let slot = block * 64u + mine;
  exchange[slot] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p0 + branch.y * q0);
  exchange[slot + 1u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p1 + branch.y * q1);
  exchange[slot + 2u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p2 + branch.y * q2);
  exchange[slot + 3u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, branch.x * p3 + branch.y * q3);
  workgroupBarrier();

  let at = block * plane + row * params.width + col;
  let in0 = row < params.height && col < params.width;
  let in1 = row < params.height && col + 1u < params.width;
  let in2 = row < params.height && col + 2u < params.width;
  let in3 = row < params.height && col + 3u < params.width;
  p0 = vec4f(0.0);
  p1 = vec4f(0.0);
  p2 = vec4f(0.0);
  p3 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    let w = mat4x4f(weights[LAST + block * BLOCKS + i]);
    p0 += w * exchange[i * 64u + mine];
    p1 += w * exchange[i * 64u + mine + 1u];
    p2 += w * exchange[i * 64u + mine + 2u];
    p3 += w * exchange[i * 64u + mine + 3u];
  }
  if in0 {
    p0 += vec4f(x[at]);
    out[at] = E4(p0);
  }
  if in1 {
    p1 += vec4f(x[at + 1u]);
    out[at + 1u] = E4(p1);
  }
  if in2 {
    p2 += vec4f(x[at + 2u]);
    out[at + 2u] = E4(p2);
  }
  if in3 {
    p3 += vec4f(x[at + 3u]);
    out[at + 3u] = E4(p3);
  }

  if HAS_NEXT {
    workgroupBarrier();
    exchange[slot] = p0;
    exchange[slot + 1u] = p1;
    exchange[slot + 2u] = p2;
    exchange[slot + 3u] = p3;
    workgroupBarrier();
    p0 = vec4f(0.0);
    p1 = vec4f(0.0);
    p2 = vec4f(0.0);
    p3 = vec4f(0.0);
    for (var i = 0u; i < BLOCKS; i++) {
      let w = mat4x4f(weights[FIRST + block * BLOCKS + i]);
      p0 += w * exchange[i * 64u + mine];
      p1 += w * exchange[i * 64u + mine + 1u];
      p2 += w * exchange[i * 64u + mine + 2u];
      p3 += w * exchange[i * 64u + mine + 3u];
    }
    var sum = vec4f(0.0);
    if in0 {
      p0 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p0);
      sum += p0;
      next_t[at] = E4(p0);
    }
    if in1 {
      p1 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p1);
      sum += p1;
      next_t[at + 1u] = E4(p1);
    }
    if in2 {
      p2 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p2);
      sum += p2;
      next_t[at + 2u] = E4(p2);
    }
    if in3 {
      p3 = activate(ACTIVATION_LEAKY_RELU, SLOPE, p3);
      sum += p3;
      next_t[at + 3u] = E4(p3);
    }
    workgroupBarrier();
    exchange[block * 16u + local.x] = sum;
    workgroupBarrier();
    if local.x == 0u {
      for (var i = 1u; i < 16u; i++) {
        sum += exchange[block * 16u + i];
      }
      let index = (group.y + params.group_row) * groups.x + group.x;
      partials[index * BLOCKS + block] = sum;
    }
  }
}
