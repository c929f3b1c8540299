// Adds a convolution's products to the sums in plain variables sB_R_C, for block B of the output
// channels, row R and column C of the invocation's pixels: BLOCKS, ROWS, COLUMNS. Many drivers
// would put arrays into memory.
//   s=PREFIX of the sums; x=BUFFER of the map; reach=0|1 for 1x1 and 3x3; first=INDEX of the first matrix
// Needs row (of the first pixel), atC and inC (conv/columns.wgsl), block, in_blocks, plane,
// in_width, height and upsample. Each loaded row of x serves up to 3 rows of sums.
for (var i = 0u; i < in_blocks; i++) {
  const SIDE = {1+reach+reach}u;
  const TAPS = SIDE * SIDE;
  #if SHARED
    workgroupBarrier();
    for (var m = index; m < SHARED_MATRICES; m += WIDTH * HEIGHT) {
      shared_weights[m] = weights[((block + m / TAPS) * in_blocks + i) * TAPS + m % TAPS];
    }
    workgroupBarrier();
  #end
  #if PARTS
    let part = part_of(i);
    let base = block_within(part, i) * plane;
  #else
    let base = i * plane;
  #end
  #if ROWS-1+reach
    for (var k = 0u; k < {ROWS+reach+reach}u; k++)
  #else
    const k = 0u;
  #end
  {
    #if reach
      let in_row = i32(row + k) - 1;
      let inside = in_row >= 0 && in_row < i32(height);
      let line = base + select(0u, u32(in_row), inside) / upsample * in_width;
    #else
      let line = base + min(row + k, height - 1u) / upsample * in_width;
    #end
    #if PARTS
      #for c in 1-reach..COLUMNS+1+reach
        var v{c}: vec4f;
      #end
      // One switch per row: software drivers run every branch.
      switch part {
        #for m in 0..5
          case {m}u: {
            #for c in 1-reach..COLUMNS+1+reach
              v{c} = vec4f({x}{m}[line + at{c}]);
            #end
          }
        #end
        default: {}
      }
      #if reach
        #for c in 0..COLUMNS+2
          v{c} = select(vec4f(0.0), v{c}, inside && in{c});
        #end
      #end
    #else
      #for c in 1-reach..COLUMNS+1+reach
        #if reach
          let v{c} = select(vec4f(0.0), vec4f({x}[line + at{c}]), inside && in{c});
        #else
          let v{c} = vec4f({x}[line + at{c}]);
        #end
      #end
    #end
    #for b in 0..BLOCKS
      #for r in 0..ROWS
        #if ROWS-1
          if k - {r}u < SIDE
        #end
        {
          #if SHARED
            let taps = {b}u * TAPS + (k - {r}u) * SIDE;
          #else
            let taps = {first} + ((block + {b}u) * in_blocks + i) * TAPS + (k - {r}u) * SIDE;
          #end
          #for t in 0..1+reach+reach
            #if QUAD
              let w{t} = load_matrix(taps + {t}u, lane);
            #else
              #if SHARED
                let w{t} = mat4x4f(shared_weights[taps + {t}u]);
              #else
                let w{t} = mat4x4f(weights[taps + {t}u]);
              #end
            #end
          #end
          #for c in 0..COLUMNS
            #for t in 0..1+reach+reach
              #if QUAD
                {s}{b}_{r}_{c} += v{c+t+1-reach} * w{t};
              #else
                {s}{b}_{r}_{c} += w{t} * v{c+t+1-reach};
              #end
            #end
          #end
        }
      #end
    #end
  }
}
