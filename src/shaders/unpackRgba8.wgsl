// A rectangle of an 8-bit RGBA image as a feature map in the network's range:
//   y[c, i, j] = image[row0 + i, col0 + j, c] * RANGE / 255
//   image [imageHeight][imageWidth] u32, red in the lowest byte
//   y     [1][H][W] vectors: red, green, blue and, in the fourth lane, alpha. The network's weights
//         for that lane are zero, so alpha passes it by and reaches the skip connection.
// One invocation converts one pixel; workgroup 8 x 8 x 1. Prelude: E, E4, RANGE.

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  image_width: u32,
  col0: u32,
  row0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> image: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }
  let pixel = image[(params.row0 + row) * params.image_width + params.col0 + col];
  let bytes = (vec4u(pixel) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
  y[row * params.width + col] = E4(vec4f(bytes) * (RANGE / 255.0));
}
