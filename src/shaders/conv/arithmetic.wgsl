// The type of products: f32 or, with HALF, the type of maps and weights. Real GPUs compute two f16
// products at a time. Prelude: E4, E4x4, HALF.

#if HALF
  alias P4 = E4;
  alias P4x4 = E4x4;
#else
  alias P4 = vec4f;
  alias P4x4 = mat4x4f;
#end
