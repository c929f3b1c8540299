// The products of map values and weights are f32. With HALF, they instead have the type of the maps
// and weights. If that type is f16, GPU hardware can compute two products at a time.
// The prelude (code that is put before this shader) defines E4, E4x4 and HALF.

#if HALF
  alias P4 = E4;
  alias P4x4 = E4x4;
#else
  alias P4 = vec4f;
  alias P4x4 = mat4x4f;
#end
