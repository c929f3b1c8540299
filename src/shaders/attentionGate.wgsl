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
// A workgroup computes all channels of 8 x 8 pixels: invocation (g, b) the block b of four
// neighbouring pixels, of which group g of 16 is the (g / 2)th row and the (g % 2)th half. The
// activated k1 crosses between blocks through workgroup memory, 64 * BLOCKS vectors.
// Prelude: E, E4, E4x4, BLOCKS (at most 15: 16 KiB of workgroup memory), SLOPE.

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

const_assert BLOCKS > 0u && BLOCKS <= 15u;
const K3 = BLOCKS * BLOCKS * 9u;
const K2 = 2u * K3;

var<workgroup> exchange: array<vec4f, 64u * BLOCKS>;

fn read_t(base: u32, row: i32, col: i32) -> vec4f {
  if row < 0 || row >= i32(params.height) || col < 0 || col >= i32(params.width) {
    return vec4f(0.0);
  }
  return vec4f(t[base + u32(row) * params.width + u32(col)]);
}

fn store(at: u32, inside: bool, value: vec4f, gate: vec4f) {
  if inside {
    gated[at] = E4(value * activate(ACTIVATION_SIGMOID, 0.0, gate));
  }
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

  var p0 = vec4f(0.0);
  var p1 = vec4f(0.0);
  var p2 = vec4f(0.0);
  var p3 = vec4f(0.0);
  var q0 = vec4f(0.0);
  var q1 = vec4f(0.0);
  var q2 = vec4f(0.0);
  var q3 = vec4f(0.0);
  for (var i = 0u; i < BLOCKS; i++) {
    for (var k = 0u; k < 3u; k++) {
      let r = i32(row + k) - 1;
      let v0 = read_t(i * plane, r, c - 1);
      let v1 = read_t(i * plane, r, c);
      let v2 = read_t(i * plane, r, c + 1);
      let v3 = read_t(i * plane, r, c + 2);
      let v4 = read_t(i * plane, r, c + 3);
      let v5 = read_t(i * plane, r, c + 4);
      let tap = (block * BLOCKS + i) * 9u + k * 3u;
      let a0 = mat4x4f(weights[tap]);
      let a1 = mat4x4f(weights[tap + 1u]);
      let a2 = mat4x4f(weights[tap + 2u]);
      p0 += a0 * v0 + a1 * v1 + a2 * v2;
      p1 += a0 * v1 + a1 * v2 + a2 * v3;
      p2 += a0 * v2 + a1 * v3 + a2 * v4;
      p3 += a0 * v3 + a1 * v4 + a2 * v5;
      let b0 = mat4x4f(weights[K3 + tap]);
      let b1 = mat4x4f(weights[K3 + tap + 1u]);
      let b2 = mat4x4f(weights[K3 + tap + 2u]);
      q0 += b0 * v0 + b1 * v1 + b2 * v2;
      q1 += b0 * v1 + b1 * v2 + b2 * v3;
      q2 += b0 * v2 + b1 * v3 + b2 * v4;
      q3 += b0 * v3 + b1 * v4 + b2 * v5;
    }
  }

  let mine = local.x * 4u;
  exchange[block * 64u + mine] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p0);
  exchange[block * 64u + mine + 1u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p1);
  exchange[block * 64u + mine + 2u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p2);
  exchange[block * 64u + mine + 3u] = activate(ACTIVATION_LEAKY_RELU, SLOPE, p3);
  workgroupBarrier();

  let b = vec4f(bias[block]);
  p0 = b;
  p1 = b;
  p2 = b;
  p3 = b;
  for (var i = 0u; i < BLOCKS; i++) {
    let w = mat4x4f(weights[K2 + block * BLOCKS + i]);
    p0 += w * exchange[i * 64u + mine];
    p1 += w * exchange[i * 64u + mine + 1u];
    p2 += w * exchange[i * 64u + mine + 2u];
    p3 += w * exchange[i * 64u + mine + 3u];
  }
  let at = block * plane + row * params.width + col;
  let row_inside = row < params.height;
  store(at, row_inside && col < params.width, q0, p0);
  store(at + 1u, row_inside && col + 1u < params.width, q1, p1);
  store(at + 2u, row_inside && col + 2u < params.width, q2, p2);
  store(at + 3u, row_inside && col + 3u < params.width, q3, p3);

  // A share of the pooling; uniform across the workgroup, so barriers are allowed inside.
  let index = (group.y + params.group_row) * groups.x + group.x;
  if index < params.stat_groups {
    let last = (index + 1u) * params.chunks / params.stat_groups;
    var sum = vec4f(0.0);
    for (var i = index * params.chunks / params.stat_groups + local.x; i < last; i += 16u) {
      sum += partials[i * BLOCKS + block];
    }
    workgroupBarrier();
    exchange[block * 16u + local.x] = sum;
    workgroupBarrier();
    if local.x == 0u {
      for (var i = 1u; i < 16u; i++) {
        sum += exchange[block * 16u + i];
      }
      stats[index * BLOCKS + block] = sum;
    }
  }
}
