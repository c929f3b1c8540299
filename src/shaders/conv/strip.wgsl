// Locates one invocation's strip in the map `x`. A strip is STRIP pixels in a row or, with DOWN, in
// a column. With DOWN, neighbouring invocations read neighbouring pixels, which is fast on real
// GPUs. The variables `at1`, `at2` and so on are the offsets of the strip's pixels in `x`, counted
// from the start of the row or column that contains the strip. If `reach` is 1, there are two more
// offsets: `at0` for the pixel before the strip, and one for the pixel after it. In this case,
// `in0`, `in1` and so on state whether the pixels at these offsets are inside the map. `start` is
// the column (with DOWN, the row) of the strip's first pixel, and `extent` is the map's size along
// the strip. `across` and `breadth` are the strip's position and the map's size in the other
// direction. The code that imports this file must define `row` and `left` (the position of the
// first pixel), `width`, `height`, `upsample` and `in_width`. Positions are clamped, because
// branches are expensive on software drivers.
#if DOWN
  let start = row;
  let extent = height;
  let across = left;
  let breadth = width;
#else
  let start = left;
  let extent = width;
  let across = row;
  let breadth = height;
#end
#for c in 1-reach..STRIP+1+reach
  #if DOWN
    let at{c} = min(max(start + {c}u, 1u) - 1u, extent - 1u) / upsample * in_width;
  #else
    let at{c} = min(max(start + {c}u, 1u) - 1u, extent - 1u) / upsample;
  #end
  #if reach
    let in{c} = start + {c}u - 1u < extent;
  #end
#end
