// Defines the strips of an invocation. A strip is STRIP pixels in a row or, with DOWN, in a column.
// With DOWN, neighbouring invocations read neighbouring pixels, which is fast on real GPUs. For
// each `C` from 1 to STRIP, `atC` (`at1`, `at2`, ...) is the offset of the strip's pixel `C - 1` in
// the map `x`, measured from the start of the row or column that contains the strip. If `reach` is
// 1, `C` also takes the values 0 and STRIP + 1, for the pixels before and after the strip. `inC`
// states whether pixel `C - 1` is inside the map. `start` is the row or column where the strip
// begins, and `extent` is the map's size in the direction of the strip. `across` and `breadth` are
// the position and the size in the other direction. The code that imports this file must define
// `row` and `left` (the position of the first pixel), `width`, `height`, `upsample` and `in_width`.
// Positions are clamped, because branches are expensive on software drivers.
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
