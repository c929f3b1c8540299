// Multiplies `map` by a gate, which is computed from `a` and the enlargement of a smaller map, `x`:
//   y = map * sigmoid( G (resize(x) + D a + d) + g ), where D and G are 1x1 convolutions
//   x       [INNER][in_height][in_width] vectors of 4 channels (Chw4c); resize is bilinear
//   a       [DIRECT][H][W]
//   weights 4 x 4 matrices (transformer/matrices.wgsl): D [INNER][DIRECT], G [BLOCKS][INNER]
//   bias    d [INNER], g [BLOCKS]
//   map, y  [BLOCKS][H][W]
// One invocation computes all channels of STRIP pixels that are 8 columns apart. Workgroups have 8
// x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines E, E4, E4x4, BLOCKS, INNER, DIRECT,
// STRIP and QUAD.

#import lib/activation
#import transformer/matrices

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  in_width: u32,
  in_height: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> a: array<E4>;
@group(0) @binding(4) var<storage, read> bias: array<E4>;
@group(0) @binding(5) var<storage, read> map: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

#import transformer/enlarged

@compute @workgroup_size(8, 8, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
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
  let row = (group.y + params.group_row) * 8u + local.y;
  let clamped = min(row, params.height - 1u);
  #for c in 0..STRIP
    let left{c} = group.x * 8u * STRIP + {c}u * 8u + local.x;
    let is{c} = left{c} < params.width && row < params.height;
    let col{c} = min(left{c}, params.width - 1u);
    let at{c} = clamped * params.width + col{c};
    #for i in 0..DIRECT
      let a{c}_{i} = vec4f(a[{i}u * plane + at{c}]);
    #end
  #end
  #for o in 0..INNER
    #for c in 0..STRIP
      var v{c}_{o} = vec4f(0.0);
    #end
    #for i in 0..DIRECT
      {
        let w = matrix({o}u * DIRECT + {i}u, lane);
        #for c in 0..STRIP
          v{c}_{o} += times(w, a{c}_{i});
        #end
      }
    #end
    #for c in 0..STRIP
      v{c}_{o} = ordered(v{c}_{o}, lane) + vec4f(bias[{o}u]) + enlarged({o}u, clamped, col{c});
    #end
  #end
  for (var o = 0u; o < BLOCKS; o++) {
    #for c in 0..STRIP
      var t{c} = vec4f(0.0);
    #end
    #for i in 0..INNER
      {
        let w = matrix(INNER * DIRECT + o * INNER + {i}u, lane);
        #for c in 0..STRIP
          t{c} += times(w, v{c}_{i});
        #end
      }
    #end
    let shift = vec4f(bias[INNER + o]);
    #for c in 0..STRIP
      if is{c} {
        let gate = logistic(ordered(t{c}, lane) + shift);
        y[o * plane + at{c}] = E4(vec4f(map[o * plane + at{c}]) * gate);
      }
    #end
  }
}
