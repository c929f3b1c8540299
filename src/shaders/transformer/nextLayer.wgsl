// Applies a 1x1 convolution to the pixels of an invocation. With NEXT_NORM, the convolution's input
// is layer-normalised. transformer/norm has already subtracted each pixel's mean. This code
// multiplies the weighted sums, not the input, by the norm's factor `root`. The norm's learned
// factors and shifts are already part of the convolution's weights and biases. With `on=1`, the
// activation follows:
//   next[o] = act( root * sum_i w[o,i] * v[i] + bias[o] )   for the blocks o from begin to end - 1
//   v=PREFIX of the values vC_B (block B of pixel C); root=PREFIX of the norm's factors;
//   begin, end; on; matrices=INDEX of the first matrix, [NEXT_BLOCKS][BLOCKS];
//   biases=INDEX of the first bias
// This code needs `atC` (the index of pixel `C` in a plane), `isC` (whether to store pixel `C`),
// `plane` and `lane`.
for (var o = {begin}u; o < {end}u; o++) {
  #for c in 0..STRIP
    var t{c} = vec4f(0.0);
  #end
  #for i in 0..BLOCKS
    {
      let w = matrix({matrices}u + o * BLOCKS + {i}u, lane);
      #for c in 0..STRIP
        t{c} += times(w, {v}{c}_{i});
      #end
    }
  #end
  let shift = vec4f(bias[{biases}u + o]);
  #for c in 0..STRIP
    #if NEXT_NORM
      t{c} *= {root}{c};
    #end
    t{c} = ordered(t{c}, lane) + shift;
    if is{c} {
      #if on
        next[o * plane + at{c}] = E4(activate(ACT1, SLOPE1, t{c}));
      #else
        next[o * plane + at{c}] = E4(t{c});
      #end
    }
  #end
}
