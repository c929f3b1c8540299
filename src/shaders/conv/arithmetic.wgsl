// Products are f32 or, with HALF, have the same type as maps and weights. Real GPUs compute two f16
// products at a time.
// The prelude defines E4, E4x4 and HALF.

#if HALF
  alias P4 = E4;
  alias P4x4 = E4x4;
#else
  alias P4 = vec4f;
  alias P4x4 = mat4x4f;
#end
