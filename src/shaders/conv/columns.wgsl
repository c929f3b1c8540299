// Columns of the COLUMNS pixels from `left` on, and of REACH (reach=0|1) neighbours on either side.
// atC is the position within a row of x, and C = 1 is `left`. inC says whether the column is inside
// the map. The index is clamped, because branches are expensive on software drivers.
#for c in 1-reach..COLUMNS+1+reach
  let at{c} = min(max(left + {c}u, 1u) - 1u, width - 1u) / upsample;
  #if reach
    let in{c} = left + {c}u - 1u < width;
  #end
#end
