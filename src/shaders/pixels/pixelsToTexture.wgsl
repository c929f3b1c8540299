// Writes 8-bit RGBA pixels to a texture:
//   image[j, i] = pixels[i, j] / 255
//   pixels [H][W] u32, red in the lowest byte
//   image  a texture of H rows and W columns. Its first index is the column.
// One invocation converts one pixel. Workgroups have 8 x 8 x 1 invocations.

@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var image: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) at: vec3u) {
  let size = textureDimensions(image);
  if at.x >= size.x || at.y >= size.y {
    return;
  }
  textureStore(image, at.xy, unpack4x8unorm(pixels[at.y * size.x + at.x]));
}
