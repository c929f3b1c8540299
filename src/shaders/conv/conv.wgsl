// A convolution, 3x3 (REACH 1) or 1x1 (REACH 0), with stride 1, zero padding, bias and epilogue:
//   y[o,i,j] = act1( act0( sum + b[o] ) * m * factor + r )
//   sum = sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i+ky-REACH, j+kx-REACH]
// While reading `x`, the kernel enlarges it (nearest-neighbour) by UPSAMPLE or, if that is 0, by
// the factor in the uniform. The enlarged map is never stored. The bindings and layouts are those
// in conv/store.wgsl or, with PACK (the last layer of a network), those in conv/pack.wgsl.
// conv/weights.wgsl describes the layout of the weights and how weights and pixels are loaded. A
// 1x1 convolution with `act0 = sigmoid` and `m = x` is pixel attention (arXiv 2010.01073, section
// 3.2).
//
// One invocation computes BLOCKS blocks of 4 output channels for LINES strips of STRIP pixels
// (conv/strip.wgsl). With larger BLOCKS, LINES and STRIP, the kernel needs fewer loads but more
// registers. A workgroup has WIDTH x HEIGHT x 1 invocations. They all compute the same BLOCKS
// blocks, which the grid's `z` selects, so they use the same weights. The numbers of channels and
// the epilogue's operations are uniforms, not constants, so that layers share a pipeline. Branching
// on uniforms costs less time than compiling one pipeline per layer.
// The prelude (code that is put before this shader) defines the types E, E4 and E4x4 and the
// constants REACH, UPSAMPLE, STRIP, LINES, DOWN, BLOCKS, WIDTH, HEIGHT, PACK, PARTS, QUAD, SHARED,
// UNIFORM, WEIGHTS_BINDING, HALO, STAGED, CHUNK, HALF, GATHER, POOL and STAYS (STAGED or POOL).
//
// With POOL, a workgroup also sums its results for global average pooling:
//   partials [workgroups along x and y][out_blocks] vec4f

#if PACK
  #import conv/pack
#else
  #import conv/store
#end
#import conv/arithmetic
#import conv/weights
#if POOL
  @group(0) @binding(7) var<storage, read_write> partials: array<vec4f>;
  const INVOCATIONS = WIDTH * HEIGHT;
  var<workgroup> pooled: array<vec4f, BLOCKS * INVOCATIONS>;
#end

@compute @workgroup_size(WIDTH, HEIGHT, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  #if QUAD
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
  #end
  #if STAYS
    @builtin(local_invocation_index) index: u32,
  #end
  #if POOL
    @builtin(num_workgroups) groups: vec3u,
  #end
) {
  #if DOWN
    let col = (group.x * WIDTH + local.x) * LINES;
    let first_row = ((group.y + params.group_row) * HEIGHT + local.y) * STRIP;
  #else
    let col = (group.x * WIDTH + local.x) * STRIP;
    let first_row = ((group.y + params.group_row) * HEIGHT + local.y) * LINES;
  #end
  let block = group.z * BLOCKS;
  #if QUAD
    let lane = subgroup_lane & 3u;
  #end
  // With STAYS, all invocations load data for their workgroup or add up its results, so none of
  // them returns early. With QUAD, the four lanes of a quad load weights together, so they must
  // return together. Therefore, they check only the row, which is the same for all four lanes.
  #if STAYS
  #else
    if first_row >= params.height {
      return;
    }
    #if QUAD
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
  #import conv/strip reach=REACH
  #if HALO
    let halo_top = row - local.y * HALO_DOWN - REACH;
    let halo_left = left - local.x * HALO_RIGHT - REACH;
    let halo_at = local.y * HALO_DOWN * HALO_WIDTH + local.x * HALO_RIGHT;
  #end

  // In a 1x1 convolution, the bias is added last, as in the reference implementation. The input of
  // a sigmoid gate can be a small sum of large terms, so the order of the additions changes the
  // rounded result.
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
    #for l in 0..LINES
      #for c in 0..STRIP
        var s{b}_{l}_{c} = bias{b};
      #end
    #end
  #end
  #import conv/product s=s x=x reach=REACH first=0

  #if GATHER
    // The epilogue is in a loop, so that it is compiled only once. Each iteration selects one sum
    // with a switch. An array of sums would be slower on real GPUs, because they store an array in
    // memory, not in registers, if its index is a variable. QUAD is for software drivers, which
    // execute all cases of a switch. With such drivers, an array is faster, so QUAD uses one.
    #if QUAD
      var sums: array<vec4f, BLOCKS * LINES * STRIP>;
      #for b in 0..BLOCKS
        #for l in 0..LINES
          #for c in 0..STRIP
            sums[({b}u * LINES + {l}u) * STRIP + {c}u] = s{b}_{l}_{c};
          #end
        #end
      #end
    #end
    #if POOL
      #for p in 0..BLOCKS
        var pool{p} = vec4f(0.0);
      #end
    #end
    for (var n = 0u; n < BLOCKS * LINES * STRIP; n++) {
      #if QUAD
        var sum = reorder(sums[n], lane);
      #else
        var sum: vec4f;
        switch n {
          #for b in 0..BLOCKS
            #for l in 0..LINES
              #for c in 0..STRIP
                case ({b}u * LINES + {l}u) * STRIP + {c}u: { sum = s{b}_{l}_{c}; }
              #end
            #end
          #end
          default: {}
        }
      #end
      let b = block + n / (LINES * STRIP);
      let l = n / STRIP % LINES;
      let c = n % STRIP;
      #if REACH
      #else
        sum += bias_of(b);
      #end
      #if DOWN
        let stored = store_pixel(b, first_row + c, col + l, sum);
      #else
        let stored = store_pixel(b, first_row + l, col + c, sum);
      #end
      #if POOL
        #for p in 0..BLOCKS
          pool{p} += select(vec4f(0.0), stored, b == block + {p}u);
        #end
      #end
    }
  #else
    #for b in 0..BLOCKS
      #if REACH
        const last{b} = vec4f(0.0);
      #else
        let last{b} = bias_of(block + {b}u);
      #end
      #for l in 0..LINES
        #for c in 0..STRIP
          #if DOWN
            store_pixel(block + {b}u, first_row + {c}u, col + {l}u, s{b}_{l}_{c} + last{b});
          #else
            store_pixel(block + {b}u, first_row + {l}u, col + {c}u, s{b}_{l}_{c} + last{b});
          #end
        #end
      #end
    #end
  #end
  #if POOL
    #for p in 0..BLOCKS
      pooled[{p}u * INVOCATIONS + index] = pool{p};
    #end
    for (var half = INVOCATIONS / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if index < half {
        for (var at = index; at < BLOCKS * INVOCATIONS; at += INVOCATIONS) {
          pooled[at] += pooled[at + half];
        }
      }
    }
    if index == 0u {
      let part = (group.y + params.group_row) * groups.x + group.x;
      for (var b = 0u; b < min(BLOCKS, params.out_blocks - block); b++) {
        partials[part * params.out_blocks + block + b] = pooled[b * INVOCATIONS];
      }
    }
  #end
  #if PACK
    if all(local.xy == vec2u(0u)) {
      atomicAdd(&status[1], params.mark);
    }
  #end
}
