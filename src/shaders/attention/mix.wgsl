// The second half of an attention-in-attention block (arXiv 2104.09497, sections 3.2 and 3.3),
// fused with the first layer of the next block:
//   v = mean of t;  (p0, p1) = softmax(W2 relu(W1 v) / TEMPERATURE)      dynamic attention module
//   m = lrelu(p0 * k4(gated) + p1 * non(t))
//   out = x + last(m)
//   next_t = lrelu(first(out)), and its sums for the next block          (has_next)
// `k4` is 3x3. `non` is 3x3 in A2N (NON_REACH = 1) and 1x1 in A2N-M (NON_REACH = 0). `last` and
// `first` are 1x1. These four convolutions use zero padding, keep the number of channels and have
// no bias.
//
//   gated, t, x, out, next_t [DEPTH][H][W] vectors of 4 channels (Chw4c)
//   weights  mat4x4, column c = input channel c: k4 [DEPTH][DEPTH][9], non [DEPTH][DEPTH][its taps],
//            last [DEPTH][DEPTH], W1 [HIDDEN_BLOCKS][DEPTH], W2 [1][HIDDEN_BLOCKS],
//            first [DEPTH][DEPTH] (has_next)
//   stats    [stat_groups][DEPTH] vec4f: sums of t over parts of the image (attention/gate.wgsl)
//   partials [workgroups][DEPTH] vec4f: sums of next_t over each workgroup's pixels
//
// lib/exchange.wgsl explains which pixels and channels each invocation computes.
// The prelude (code that is put before this shader) defines E, E4, E4x4, DEPTH, TILE_COLUMNS,
// HIDDEN_BLOCKS, NON_REACH, TEMPERATURE and SLOPE.

#import lib/activation
#import lib/exchange
#import conv/arithmetic

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  stat_groups: u32,
  has_next: u32, // This is a uniform, so that the last block shares the other blocks' pipeline.
  pixels: u32, // The number of pixels that `stats` covers.
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

const_assert HIDDEN_BLOCKS <= DEPTH;
const NON = DEPTH * DEPTH * 9u;
const LAST = NON + DEPTH * DEPTH * (1u + 8u * NON_REACH);
const W1 = LAST + DEPTH * DEPTH;
const W2 = W1 + HIDDEN_BLOCKS * DEPTH;
const FIRST = W2 + HIDDEN_BLOCKS;

var<workgroup> branch: vec2f;

// Writes the two branch weights to `branch`. Every invocation of the workgroup must call this
// function.
fn dynamic_weights(lane: u32, block: u32) {
  var sum = vec4f(0.0);
  for (var i = lane; i < params.stat_groups; i += TILE_COLUMNS) {
    sum += stats[i * DEPTH + block];
  }
  sum = sum_of_lanes(lane, block, sum);
  workgroupBarrier();
  if lane == 0u {
    exchange[block] = sum / f32(params.pixels);
  }
  workgroupBarrier();
  if lane == 0u && block < HIDDEN_BLOCKS {
    var hidden = vec4f(0.0);
    for (var i = 0u; i < DEPTH; i++) {
      hidden += mat4x4f(weights[W1 + block * DEPTH + i]) * exchange[i];
    }
    exchange[DEPTH + block] = relu(hidden);
  }
  workgroupBarrier();
  if lane == 0u && block == 0u {
    var z = vec4f(0.0);
    for (var i = 0u; i < HIDDEN_BLOCKS; i++) {
      z += mat4x4f(weights[W2 + i]) * exchange[DEPTH + i];
    }
    let e = exp((z.xy - max(z.x, z.y)) / TEMPERATURE);
    branch = e / (e.x + e.y);
  }
  workgroupBarrier();
}

@compute @workgroup_size(TILE_COLUMNS, DEPTH, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  #import lib/tile upsample=1

  dynamic_weights(local.x, block);

  let in_blocks = DEPTH;
  #for c in 0..STRIP
    var p0_0_{c} = vec4f(0.0);
    var q0_0_{c} = vec4f(0.0);
  #end
  #import conv/product s=p x=gated reach=1 first=0
  #import conv/product s=q x=t reach=NON_REACH first=NON

  #for c in 0..STRIP
    exchange[slot + {c}u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_{c} + branch.y * q0_0_{c});
    p0_0_{c} = vec4f(0.0);
  #end
  workgroupBarrier();
  #import lib/crossing sums=p first=LAST
  #for c in 0..STRIP
    if {c}u < count {
      p0_0_{c} += vec4f(x[at + {c}u * width]);
      out[at + {c}u * width] = E4(p0_0_{c});
    }
  #end

  if params.has_next != 0u {
    workgroupBarrier();
    #for c in 0..STRIP
      exchange[slot + {c}u * TILE_COLUMNS] = p0_0_{c};
      q0_0_{c} = vec4f(0.0);
    #end
    workgroupBarrier();
    #import lib/crossing sums=q first=FIRST
    var sum = vec4f(0.0);
    #for c in 0..STRIP
      if {c}u < count {
        q0_0_{c} = leaky(vec4f(SLOPE), q0_0_{c});
        sum += q0_0_{c};
        next_t[at + {c}u * width] = E4(q0_0_{c});
      }
    #end
    sum = sum_of_lanes(local.x, block, sum);
    if local.x == 0u {
      let index = (group.y + params.group_row) * groups.x + group.x;
      partials[index * DEPTH + block] = sum;
    }
  }
}
