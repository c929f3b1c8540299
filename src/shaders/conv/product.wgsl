// Multiplies the input pixels of a convolution by its weights and adds the products to the sums for
// its output pixels. The sums are variables `sB_L_C`, where `B < BLOCKS` is a block of output
// channels, `L < LINES` is a strip, and `C < STRIP` is a pixel of the strip. They are not an array,
// because many drivers would store an array in memory.
//   s=PREFIX of the sums; x=BUFFER of the map; reach=0 (1x1) or 1 (3x3); first=INDEX of the first matrix
// This code needs the variables from conv/strip.wgsl and also `block`, `in_blocks` and `plane`.
// With `reach=1`, each input strip contributes to up to 3 output strips, one for each line of the
// 3x3 kernel. With HALF, the products for one block of input channels are summed in E, the type of
// the maps and weights. The resulting sums of all blocks are added in f32.
// The prelude (code that is put before this shader) defines the type E4 and the constants BLOCKS,
// STRIP, LINES, DOWN, PARTS (0 or the maximum number of parts), QUAD, STAGED, SHARED, CHUNK, HALO, WIDTH,
// HEIGHT and HALF.
for (var i = 0u; i < in_blocks; i++) {
  const SIDE = {1+reach+reach}u;
  const TAPS = SIDE * SIDE;
  // The distances between the weight matrices of neighbouring taps, along a strip and across
  // strips.
  #if DOWN
    const ALONG_TAPS = SIDE;
    const ACROSS_TAPS = 1u;
  #else
    const ALONG_TAPS = 1u;
    const ACROSS_TAPS = SIDE;
  #end
  #if PARTS
    let part = part_of(i);
    let base = block_within(part, i) * plane;
  #else
    let base = i * plane;
  #end
  #if STAGED
    #if HALO
      workgroupBarrier();
      for (var p = index; p < HALO_PIXELS; p += WIDTH * HEIGHT) {
        // Row and column indices wrap around to huge numbers above the map and left of it, so
        // `halo_inside` is false there.
        let halo_row = halo_top + p / HALO_WIDTH;
        let halo_col = halo_left + p % HALO_WIDTH;
        let halo_inside = halo_row < height && halo_col < width;
        let halo_source = base + select(0u, halo_row / upsample * in_width + halo_col / upsample, halo_inside);
        #if PARTS
          halo[p] = select(E4(), E4(load_map(part, halo_source)), halo_inside);
        #else
          halo[p] = select(E4(), {x}[halo_source], halo_inside);
        #end
      }
    #end
    #if SHARED
      if i % CHUNK == 0u {
        #if HALO
        #else
          workgroupBarrier();
        #end
        for (var m = index; m < SHARED_MATRICES; m += WIDTH * HEIGHT) {
          let source = ((block + m / (CHUNK * TAPS)) * in_blocks + i) * TAPS + m % (CHUNK * TAPS);
          shared_weights[m] = weights[source];
        }
        #if HALO
        #else
          workgroupBarrier();
        #end
      }
    #end
    #if HALO
      workgroupBarrier();
    #end
  #end
  #if HALF
    #for b in 0..BLOCKS
      #for l in 0..LINES
        #for c in 0..STRIP
          var half{b}_{l}_{c} = E4();
        #end
      #end
    #end
  #end
  #if LINES-1+reach
    for (var k = 0u; k < {LINES+reach+reach}u; k++)
  #else
    const k = 0u;
  #end
  {
    #if HALO
    #else
      #if reach
        let in_line = i32(across + k) - 1;
        let inside = in_line >= 0 && in_line < i32(breadth);
        let along = select(0u, u32(in_line), inside) / upsample;
      #else
        let along = min(across + k, breadth - 1u) / upsample;
      #end
      #if DOWN
        let line = base + along;
      #else
        let line = base + along * in_width;
      #end
    #end
    #if HALO
      #for c in 1-reach..STRIP+1+reach
        #if DOWN
          let v{c} = P4(halo[halo_at + {c-1+reach}u * HALO_WIDTH + k]);
        #else
          let v{c} = P4(halo[halo_at + {c-1+reach}u + k * HALO_WIDTH]);
        #end
      #end
    #else
      #if PARTS
        #for c in 1-reach..STRIP+1+reach
          var v{c}: P4;
        #end
        // There is only one switch per strip, because software drivers execute every branch of a
        // switch.
        switch part {
          #for m in 0..PARTS
            case {m}u: {
              #for c in 1-reach..STRIP+1+reach
                v{c} = P4({x}{m}[line + at{c}]);
              #end
            }
          #end
          default: {}
        }
        #if reach
          #for c in 0..STRIP+2
            v{c} = select(P4(), v{c}, inside && in{c});
          #end
        #end
      #else
        #for c in 1-reach..STRIP+1+reach
          #if reach
            let v{c} = select(P4(), P4({x}[line + at{c}]), inside && in{c});
          #else
            let v{c} = P4({x}[line + at{c}]);
          #end
        #end
      #end
    #end
    #for b in 0..BLOCKS
      #for l in 0..LINES
        #if LINES-1
          if k - {l}u < SIDE
        #end
        {
          #if SHARED
            let taps = ({b}u * CHUNK + i % CHUNK) * TAPS + (k - {l}u) * ACROSS_TAPS;
          #else
            let taps = {first} + ((block + {b}u) * in_blocks + i) * TAPS + (k - {l}u) * ACROSS_TAPS;
          #end
          #for t in 0..1+reach+reach
            #if QUAD
              let w{t} = load_matrix(taps + {t}u * ALONG_TAPS, lane);
            #else
              #if SHARED
                let w{t} = P4x4(shared_weights[taps + {t}u * ALONG_TAPS]);
              #else
                let w{t} = P4x4(weights[taps + {t}u * ALONG_TAPS]);
              #end
            #end
          #end
          #for c in 0..STRIP
            #for t in 0..1+reach+reach
              #if QUAD
                {s}{b}_{l}_{c} += v{c+t+1-reach} * w{t};
              #else
                #if HALF
                  half{b}_{l}_{c} += w{t} * v{c+t+1-reach};
                #else
                  {s}{b}_{l}_{c} += w{t} * v{c+t+1-reach};
                #end
              #end
            #end
          #end
        }
      #end
    #end
  }
  #if HALF
    #for b in 0..BLOCKS
      #for l in 0..LINES
        #for c in 0..STRIP
          {s}{b}_{l}_{c} += vec4f(half{b}_{l}_{c});
        #end
      #end
    #end
  #end
}
