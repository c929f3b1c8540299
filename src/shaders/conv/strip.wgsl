// Defines the strips of an invocation. A strip is STRIP pixels in a row or, with DOWN, in a column.
// With DOWN, neighbouring invocations read neighbouring pixels, which is fast on real GPUs. `atC`
// is the offset of pixel `C - 1` of a strip from the start of its row (with DOWN, of its column) in
// the map `x`. `C` ranges from 1 to STRIP. If `reach` is 1, `C` also takes the values 0 and
// STRIP + 1, for the pixels before and after the strip. `inC` states whether pixel `C - 1` is
// inside the map. `start` and `extent` are measured along a strip, and `across` and `breadth` are
// measured across the strips. The code that imports this file must define `row` and `left` (of the
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
