// The texels of a texture as 8-bit RGBA, rounded: pixels[i, j] = image[j, i].
//   image  [H][W] texels of floats, 0 to 1
//   pixels [H][W] u32, red in the lowest byte
// One invocation converts one pixel; workgroup 8 x 8 x 1.

@group(0) @binding(0) var image: texture_2d<f32>;
@group(0) @binding(1) var<storage, read_write> pixels: array<u32>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) at: vec3u) {
  let size = textureDimensions(image);
  if at.x >= size.x || at.y >= size.y {
    return;
  }
  pixels[at.y * size.x + at.x] = pack4x8unorm(textureLoad(image, at.xy, 0));
}
