// The end of a gated feed-forward layer:
//   y = r + conv( act(u) * v ) + bias
// where `u` and `v` are the halves of a 3x3 depthwise convolution of `x`, and `r` is the residual.
// With NEXT, a layer that reads `y` follows (transformer/nextLayer).
//   x       [2 HIDDEN][H][W] vectors of 4 channels (Chw4c): the input of u, then the input of v
//   taps    [2 HIDDEN][9]
//   weights matrices (transformer/matrices): [BLOCKS][HIDDEN], then [NEXT_BLOCKS][BLOCKS]
//   bias    [2 HIDDEN] for the depthwise convolution, then [BLOCKS], then [NEXT_BLOCKS]
//   r, y    [BLOCKS][H][W]; next [NEXT_BLOCKS][H][W]
// One invocation computes all channels of STRIP pixels in a column. Workgroups have 8 x 8 x 1
// invocations.
// The prelude (code that is put before this shader) defines E, E4, E4x4, CHANNELS, BLOCKS, HIDDEN,
// STRIP, ACT0, SLOPE0, NEXT, NEXT_BLOCKS, NEXT_NORM, EPSILON, FIRST_MATRIX, FIRST_BIAS, ACT1,
// SLOPE1 and QUAD.

#import lib/activation
#import lib/map
#import transformer/matrices

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> taps: array<E4>;
@group(0) @binding(4) var<storage, read> bias: array<E4>;
@group(0) @binding(5) var<storage, read> r: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;
#if NEXT
  @group(0) @binding(7) var<storage, read_write> next: array<E4>;
#end

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
  let width = params.width;
  let height = params.height;
  let plane = width * height;
  let left = group.x * 8u + local.x;
  let top = ((group.y + params.group_row) * 8u + local.y) * STRIP;
  let col = min(left, width - 1u);
  // Each invocation needs the rows `top - 1` to `top + STRIP` of `x`, and the columns `left - 1` to
  // `left + 1`. Positions are unsigned, so a row above the map or a column left of it wraps around
  // to a huge number. If a position is outside the map, the kernel reads the nearest pixel but uses
  // zero instead of its value.
  #for k in 0..STRIP+2
    let in_row{k} = top + {k}u - 1u < height;
    let row{k} = min(max(top + {k}u, 1u) - 1u, height - 1u) * width;
  #end
  #for c in 0..STRIP
    let is{c} = left < width && top + {c}u < height;
    let at{c} = row{c+1} + col;
    #for b in 0..BLOCKS
      var v{c}_{b} = vec4f(0.0);
    #end
  #end
  for (var h = 0u; h < HIDDEN; h++) {
    let gate = h * plane;
    let value = (h + HIDDEN) * plane;
    #for c in 0..STRIP
      var gate{c} = vec4f(bias[h]);
      var value{c} = vec4f(bias[h + HIDDEN]);
    #end
    for (var j = 0u; j < 3u; j++) {
      let in_col = left + j - 1u < width;
      let near = min(max(left + j, 1u) - 1u, width - 1u);
      #for t in 0..3
        let g{t} = vec4f(taps[h * 9u + {t}u * 3u + j]);
        let w{t} = vec4f(taps[(h + HIDDEN) * 9u + {t}u * 3u + j]);
      #end
      #for k in 0..STRIP+2
        let p{k} = select(vec4f(0.0), vec4f(x[gate + row{k} + near]), in_row{k} && in_col);
        let q{k} = select(vec4f(0.0), vec4f(x[value + row{k} + near]), in_row{k} && in_col);
      #end
      #for c in 0..STRIP
        #for t in 0..3
          gate{c} += g{t} * p{c+t};
          value{c} += w{t} * q{c+t};
        #end
      #end
    }
    #for c in 0..STRIP
      let product{c} = activate(ACT0, SLOPE0, gate{c}) * value{c};
    #end
    #for b in 0..BLOCKS
      {
        let w = matrix({b}u * HIDDEN + h, lane);
        #for c in 0..STRIP
          v{c}_{b} += times(w, product{c});
        #end
      }
    #end
  }
  #for b in 0..BLOCKS
    {
      let shift = vec4f(bias[2u * HIDDEN + {b}u]);
      #for c in 0..STRIP
        v{c}_{b} = ordered(v{c}_{b}, lane) + shift + vec4f(r[{b}u * plane + at{c}]);
        if is{c} {
          y[{b}u * plane + at{c}] = E4(v{c}_{b});
        }
      #end
    }
  #end
  #if NEXT
    #if NEXT_NORM
      #import transformer/norm v=v root=root epsilon=EPSILON
    #end
    #import transformer/nextLayer v=v root=root begin=0 end=NEXT_BLOCKS on=1 matrices=FIRST_MATRIX biases=FIRST_BIAS
  #end
}
