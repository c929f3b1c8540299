// Convolution, 3x3 (REACH 1) or 1x1 (REACH 0), stride 1, zero padding, with bias and epilogue:
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-REACH, x+kx-REACH] + b[o] ) * m * factor + r )
// x is read through a nearest enlargement by UPSAMPLE (0: the uniform's factor), which is never
// materialised. Bindings and layouts: conv/store.wgsl, or conv/pack.wgsl with PACK (the last layer
// of a network). Weights: conv/weights.wgsl. A 1x1 convolution with act0 = sigmoid and m = x is
// pixel attention (arXiv 2010.01073, section 3.2).
//
// One invocation computes COLUMNS x ROWS pixels of BLOCKS blocks of output channels. Larger shapes
// share more loads and need more registers. Workgroup WIDTH x HEIGHT x 1; grid z = BLOCKS blocks,
// so weights are uniform across a workgroup. Channels and epilogue are uniforms rather than
// constants, and layers share a pipeline: compiling a pipeline per layer costs more time than the
// branches.
//
// QUAD is for adapters on which loads dominate (software rasterizers: one vector load costs as much
// as four matrix products). Lane l of a subgroup quad loads column l of each matrix and gets the
// other columns by swapping within the quad, in the order l, l^1, l^2, l^3. Its sums have the
// output channels in that order until `reorder` restores the normal order at the end.
// Prelude: E, E4, E4x4, REACH, UPSAMPLE, COLUMNS, ROWS, BLOCKS, WIDTH, HEIGHT, PACK, PARTS, QUAD,
// SHARED, GATHER.

#if PACK
  #import conv/pack
#else
  #import conv/store
#end
#import conv/weights

@compute @workgroup_size(WIDTH, HEIGHT, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  #if QUAD
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
  #end
  #if SHARED
    @builtin(local_invocation_index) index: u32,
  #end
) {
  let col = (group.x * WIDTH + local.x) * COLUMNS;
  let first_row = ((group.y + params.group_row) * HEIGHT + local.y) * ROWS;
  let block = group.z * BLOCKS;
  // Invocations that help to load weights must not return early. The lanes of a quad share a row.
  #if SHARED
  #else
    if first_row >= params.height {
      return;
    }
    #if QUAD
      let lane = subgroup_lane & 3u;
    #else
      if col >= params.width {
        return;
      }
    #end
  #end
  #if UPSAMPLE
    const upsample = UPSAMPLE;
  #else
    let upsample = params.upsample;
  #end
  #if PACK
    let width = params.map_width;
    let height = params.map_height;
    let left = col + params.col0;
    let row = first_row + params.row0;
    const in_blocks = IN_BLOCKS;
  #else
    let width = params.width;
    let height = params.height;
    let left = col;
    let row = first_row;
    let in_blocks = params.in_blocks;
  #end
  let in_width = width / upsample;
  let plane = in_width * (height / upsample);
  #import conv/columns reach=REACH

  // 1x1: the bias is added last, as in the reference. Sums before a gate cancel to near zero, where
  // the order of rounding is visible.
  #for b in 0..BLOCKS
    #if REACH
      #if QUAD
        let bias{b} = reorder(bias_of(block + {b}u), lane);
      #else
        let bias{b} = bias_of(block + {b}u);
      #end
    #else
      const bias{b} = vec4f(0.0);
    #end
    #for r in 0..ROWS
      #for c in 0..COLUMNS
        var s{b}_{r}_{c} = bias{b};
      #end
    #end
  #end
  #import conv/product s=s x=x reach=REACH first=0

  #if GATHER
    // An array, because the epilogue is then compiled once and not once per sum.
    var sums: array<vec4f, BLOCKS * ROWS * COLUMNS>;
    #for b in 0..BLOCKS
      #for r in 0..ROWS
        #for c in 0..COLUMNS
          sums[({b}u * ROWS + {r}u) * COLUMNS + {c}u] = s{b}_{r}_{c};
        #end
      #end
    #end
    for (var i = 0u; i < BLOCKS * ROWS * COLUMNS; i++) {
      let b = block + i / (ROWS * COLUMNS);
      #if QUAD
        let sum = reorder(sums[i], lane);
      #else
        let sum = sums[i];
      #end
      #if REACH
        store_pixel(b, first_row + i / COLUMNS % ROWS, col + i % COLUMNS, sum);
      #else
        store_pixel(b, first_row + i / COLUMNS % ROWS, col + i % COLUMNS, sum + bias_of(b));
      #end
    }
  #else
    #for b in 0..BLOCKS
      #if REACH
      #else
        let last{b} = bias_of(block + {b}u);
      #end
      #for r in 0..ROWS
        #for c in 0..COLUMNS
          #if REACH
            store_pixel(block + {b}u, first_row + {r}u, col + {c}u, s{b}_{r}_{c});
          #else
            store_pixel(block + {b}u, first_row + {r}u, col + {c}u, s{b}_{r}_{c} + last{b});
          #end
        #end
      #end
    #end
  #end
  #if PACK
    if all(local.xy == vec2u(0u)) {
      atomicAdd(&status[1], params.mark);
    }
  #end
}
