// A 1x1 convolution of the concatenation of up to four maps, with an optional layer norm before it
// (NEXT_NORM) and an activation after it:
//   next[o] = act( sum_i w[o,i] * norm(x)[i] + bias[o] )
// The activation applies only to the result's blocks ACTIVE to NEXT_BLOCKS - 1.
//   x0 .. x3 [B0][H][W] .. [B3][H][W] vectors of 4 channels (Chw4c). If there are fewer than four
//            maps, the unused ones have 0 blocks.
//   weights  [NEXT_BLOCKS][BLOCKS] matrices (transformer/matrices), bias [NEXT_BLOCKS]. With
//            NEXT_NORM, the norm's factors are folded into the weights, and its shifts into the
//            bias.
//   next     [NEXT_BLOCKS][H][W]
//
// One invocation computes all channels of STRIP pixels that are 64 pixels apart. Workgroups have 64
// invocations. A workgroup covers `64 * STRIP` pixels. The grid is (1, workgroups, 1), with a
// larger `x` if there are more than 65535 workgroups. The prelude (code that is put before this
// shader) defines E, E4, E4x4, CHANNELS, BLOCKS, B0 .. B3, STRIP, NEXT_BLOCKS, NEXT_NORM, EPSILON,
// ACTIVE, ACT1, SLOPE1 and QUAD.

#import lib/activation
#import lib/map
#import transformer/matrices

#for m in 0..4
  @group(0) @binding({m+1}) var<storage, read> x{m}: array<E4>;
#end
@group(0) @binding(6) var<storage, read> bias: array<E4>;
@group(0) @binding(7) var<storage, read_write> next: array<E4>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
  #if QUAD
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
  #end
) {
  #if QUAD
    let lane = subgroup_lane & 3u;
  #else
    const lane = 0u;
  #end
  let plane = params.width * params.height;
  let start = ((group.y + params.group_row) * groups.x + group.x) * 64u * STRIP + index;
  #for c in 0..STRIP
    let is{c} = start + {c}u * 64u < plane;
    let at{c} = min(start + {c}u * 64u, plane - 1u);
    #for b in 0..B0
      var v{c}_{b} = vec4f(x0[{b}u * plane + at{c}]);
    #end
    #for b in 0..B1
      var v{c}_{b+B0} = vec4f(x1[{b}u * plane + at{c}]);
    #end
    #for b in 0..B2
      var v{c}_{b+B0+B1} = vec4f(x2[{b}u * plane + at{c}]);
    #end
    #for b in 0..B3
      var v{c}_{b+B0+B1+B2} = vec4f(x3[{b}u * plane + at{c}]);
    #end
  #end
  #if NEXT_NORM
    #import transformer/norm v=v root=root epsilon=EPSILON
  #end
  #import transformer/nextLayer v=v root=root begin=0 end=ACTIVE on=0 matrices=0 biases=0
  #import transformer/nextLayer v=v root=root begin=ACTIVE end=NEXT_BLOCKS on=1 matrices=0 biases=0
}
