// The first part of a layer norm for STRIP pixels. The variable `vC_B` contains block B (four
// channels) of pixel C. For each pixel, this code computes the mean of the CHANNELS channels and
// subtracts it from the pixel's variables. It also declares `rootC`, the factor
// `1 / sqrt(variance + epsilon)` of pixel C.
//   v=PREFIX of the values; root=PREFIX of the factors; epsilon=NAME of the constant
#for c in 0..STRIP
  var {root}{c} = 0.0;
  {
    var sum = vec4f(0.0);
    #for b in 0..BLOCKS
      sum += {v}{c}_{b};
    #end
    let mean = dot(sum, vec4f(1.0)) / f32(CHANNELS);
    var squares = 0.0;
    #for b in 0..BLOCKS
      // Absent channels stay zero.
      {v}{c}_{b} = select(vec4f(0.0), {v}{c}_{b} - mean, vec4u(0u, 1u, 2u, 3u) + 4u * {b}u < vec4u(CHANNELS));
      squares += dot({v}{c}_{b}, {v}{c}_{b});
    #end
    {root}{c} = inverseSqrt(squares / f32(CHANNELS) + {epsilon});
  }
#end
