// Converts a texture to 8-bit RGBA pixels. The texture begins at row BORDER and column BORDER of the
// result. The pixels around it are reflections of the texture. Values are rounded.
//   pixels[i, j] = image[j - BORDER, i - BORDER]
//   image  a texture with values from 0 to 1. Its first index is the column.
//   pixels [HEIGHT][WIDTH] u32, red in the lowest byte
// One invocation converts one pixel. Workgroups have 8 x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines WIDTH, HEIGHT and BORDER.

@group(0) @binding(0) var image: texture_2d<f32>;
@group(0) @binding(1) var<storage, read_write> pixels: array<u32>;

fn reflected(i: i32, size: i32) -> i32 {
  let period = max(2 * size - 2, 1);
  let at = abs(i) % period;
  return min(at, period - at);
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) at: vec3u) {
  if at.x >= WIDTH || at.y >= HEIGHT {
    return;
  }
  let size = vec2i(textureDimensions(image));
  let place = vec2i(at.xy) - BORDER;
  let texel = vec2i(reflected(place.x, size.x), reflected(place.y, size.y));
  pixels[at.y * WIDTH + at.x] = pack4x8unorm(textureLoad(image, texel, 0));
}
