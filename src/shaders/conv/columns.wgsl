// Positions atC within a row of x of the COLUMNS pixels from column `left` on and of reach=0|1 to
// either side of them, C = 1 for `left`; inC: whether it lies inside. The index is clamped rather than
// branched around: software drivers take branches dearly.
#for c in 1-reach..COLUMNS+1+reach
  let at{c} = min(max(left + {c}u, 1u) - 1u, width - 1u) / upsample;
  #if reach
    let in{c} = left + {c}u - 1u < width;
  #end
#end
