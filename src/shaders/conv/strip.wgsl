// The strips of an invocation: STRIP pixels in a row, or in a column with DOWN. Neighbouring
// invocations then read neighbouring pixels, which real GPUs need. atC is the position of pixel
// C - 1 of a strip within a plane of x, with REACH (reach=0|1) neighbours on either side. inC says
// whether it is inside the map. Strips are numbered across: position k of strip k + 1 - REACH.
// Needs row and left (of the first pixel), width, height, upsample and in_width. The index is
// clamped, because branches are expensive on software drivers.
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
