// Computes a 3x3 convolution, followed by pixel attention (arXiv 2010.01073, section 3.4).
//
//   u = w3 * x + b3;  y = act1( u * sigmoid(w1 u + b1) )
//
// The 3x3 convolution has zero padding. It reads `x` as if `x` were enlarged by UPSAMPLE
// (nearest-neighbour). The enlarged map is never stored. `w1` is 1x1 and keeps the number of
// channels.
//
//   x       [IN_BLOCKS][h][w] vectors of 4 channels (Chw4c), H = h * UPSAMPLE, W = w * UPSAMPLE
//   weights mat4x4, column c = input channel c: w3 [DEPTH][IN_BLOCKS][9], w1 [DEPTH][DEPTH]
//   bias    b3 [DEPTH], b1 [DEPTH]
//   y       [DEPTH][H][W]
//
// lib/exchange.wgsl explains which pixels and channels each invocation computes.
// The prelude (code that is put before this shader) defines the types E, E4 and E4x4 and the
// constants IN_BLOCKS, DEPTH, TILE_COLUMNS, UPSAMPLE, ACT1 and SLOPE1.

#import lib/activation
#import lib/exchange
#import conv/arithmetic

#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

const W1 = DEPTH * IN_BLOCKS * 9u;

fn store(at: u32, inside: bool, u: vec4f, gate: vec4f) {
  if inside {
    y[at] = E4(activate(ACT1, SLOPE1, u * logistic(gate)));
  }
}

@compute @workgroup_size(TILE_COLUMNS, DEPTH, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/tile upsample=UPSAMPLE

  let in_blocks = IN_BLOCKS;
  let b3 = vec4f(bias[block]);
  #for c in 0..STRIP
    var u0_0_{c} = b3;
    var g0_0_{c} = vec4f(0.0);
  #end
  #import conv/product s=u x=x reach=1 first=0

  #for c in 0..STRIP
    exchange[slot + {c}u * TILE_COLUMNS] = u0_0_{c};
  #end
  workgroupBarrier();
  #import lib/crossing sums=g first=W1

  // The bias is added last, as in the 1x1 convolutions of conv.wgsl.
  let b1 = vec4f(bias[DEPTH + block]);
  #for c in 0..STRIP
    store(at + {c}u * width, {c}u < count, u0_0_{c}, g0_0_{c} + b1);
  #end
}
