// Subtracts each pixel's mean over its CHANNELS channels from the variables `vC_B`, which contain
// block B (four channels) of pixel C. Also declares `rootC`, the factor of a layer norm:
// `1 / sqrt(variance + epsilon)`.
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
