// Convolution, 3x3 (REACH 1) or 1x1 (REACH 0), stride 1, zero padding, with bias and epilogue:
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-REACH, x+kx-REACH] + b[o] ) * m * factor + r )
// read through a nearest enlargement by UPSAMPLE (0: by the uniform's), which is never materialised.
// Bindings and layouts: conv/store.wgsl, or with PACK conv/pack.wgsl, the end of a network. Weights:
// conv/weights.wgsl. With act0 = sigmoid and m = x a 1x1 convolution is pixel attention (arXiv
// 2010.01073, section 3.2).
//
// One invocation computes COLUMNS x ROWS pixels of BLOCKS blocks of output channels; more of either
// share loads, at the price of registers. Workgroup WIDTH x HEIGHT x 1; grid z = BLOCKS blocks, so
// weights are uniform across a workgroup. Channels and epilogue are uniforms, not constants, so that
// layers share a pipeline: compiling takes longer than the branches ever will.
//
// QUAD is for adapters on which loads are what takes the time (software rasterizers: a vector load costs
// as much as four matrix products). Lane l of a quad loads column l of each matrix and gets the others by
// swapping within the quad, in an order of its own: l, l^1, l^2, l^3. Its sums are of the output channels
// in that order, until `reorder` puts them right at the end.
// Prelude: E, E4, E4x4, REACH, UPSAMPLE, COLUMNS, ROWS, BLOCKS, WIDTH, HEIGHT, PACK, PARTS, QUAD, SHARED.

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
  // Whoever needs neighbours to load weights stays. The lanes of a quad have one row.
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
    let upsample = UPSAMPLE;
  #else
    let upsample = params.upsample;
  #end
  #if PACK
    let width = params.map_width;
    let height = params.map_height;
    let left = col + params.col0;
    let row = first_row + params.row0;
    let in_blocks = IN_BLOCKS;
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

  // 1x1: the bias comes last, as in the reference. Sums before a gate cancel to near zero, and the
  // order of rounding shows there.
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

  #if QUAD
    // An array, so that the epilogue is compiled once, not for each of the sums.
    var sums: array<vec4f, COLUMNS * BLOCKS>;
    #for b in 0..BLOCKS
      #for c in 0..COLUMNS
        sums[{b}u * COLUMNS + {c}u] = s{b}_0_{c};
      #end
    #end
    for (var i = 0u; i < COLUMNS * BLOCKS; i++) {
      let b = block + i / COLUMNS;
      #if REACH
        store_pixel(b, first_row, col + i % COLUMNS, reorder(sums[i], lane));
      #else
        store_pixel(b, first_row, col + i % COLUMNS, reorder(sums[i], lane) + bias_of(b));
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
}
