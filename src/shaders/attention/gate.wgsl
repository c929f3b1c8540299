// The first half of an attention-in-attention block (arXiv 2104.09497, section 3.2), fused:
//   gated = k3(t) * sigmoid(k2(lrelu(k1(t))) + b2)
// `k1` and `k3` are 3x3, and `k2` is 1x1. All of them use zero padding and keep the number of
// channels. Only `k2` has a bias. The kernel also performs the second stage of averaging `t` over
// the image: it adds up the partial sums that an earlier kernel computed. Each of the first
// `stat_groups` workgroups adds up its share of the partial sums.
//
//   t, gated [DEPTH][H][W] vectors of 4 channels (Chw4c)
//   weights  mat4x4, column c = input channel c: k1 and k3 [DEPTH][DEPTH][9], k2 [DEPTH][DEPTH]
//   bias     [DEPTH]
//   partials [chunks][DEPTH] vec4f: sums of t over parts of the image
//   stats    [stat_groups][DEPTH] vec4f: sums of the partials
//
// lib/exchange.wgsl describes which part of the map each workgroup and each invocation computes.
// The prelude (code that is put before this shader) defines E, E4, E4x4, DEPTH, TILE_COLUMNS and
// SLOPE.

#import lib/activation
#import lib/exchange
#import conv/arithmetic

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

const K3 = DEPTH * DEPTH * 9u;
const K2 = 2u * K3;

fn store(at: u32, inside: bool, value: vec4f, gate: vec4f) {
  if inside {
    gated[at] = E4(value * logistic(gate));
  }
}

@compute @workgroup_size(TILE_COLUMNS, DEPTH, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  #import lib/tile upsample=1

  let in_blocks = DEPTH;
  #for c in 0..STRIP
    var p0_0_{c} = vec4f(0.0);
    var q0_0_{c} = vec4f(0.0);
  #end
  #import conv/product s=p x=t reach=1 first=0

  let b = vec4f(bias[block]);
  #for c in 0..STRIP
    exchange[slot + {c}u * TILE_COLUMNS] = leaky(vec4f(SLOPE), p0_0_{c});
    p0_0_{c} = b;
  #end
  workgroupBarrier();
  #import lib/crossing sums=p first=K2
  #import conv/product s=q x=t reach=1 first=K3

  #for c in 0..STRIP
    store(at + {c}u * width, {c}u < count, q0_0_{c}, p0_0_{c});
  #end

  // Adds up this workgroup's share of the partial sums. The condition below is uniform across the
  // workgroup, so barriers are allowed.
  let index = (group.y + params.group_row) * groups.x + group.x;
  if index < params.stat_groups {
    let last = (index + 1u) * params.chunks / params.stat_groups;
    var sum = vec4f(0.0);
    for (var i = index * params.chunks / params.stat_groups + local.x; i < last; i += TILE_COLUMNS) {
      sum += partials[i * DEPTH + block];
    }
    sum = sum_of_lanes(local.x, block, sum);
    if local.x == 0u {
      stats[index * DEPTH + block] = sum;
    }
  }
}
