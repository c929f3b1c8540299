// Converts a rectangle of an RGBA image with 8-bit samples (with WIDE, 16-bit samples) to a feature
// map in the network's range:
//   y[c, i, j] = image[row0 + i, col0 + j, c] * RANGE / (255 or 65535)
// Beyond the right and lower edges, the image is reflected without repeating the edge. Networks
// that unshuffle pixels need this padding, because the sides of their input must be multiples of
// the unshuffling factor. With PADDED, the pixels beyond these edges get the value PADDING instead.
//   image [image_height][image_width] pixels: one u32 (with WIDE, two), red in the lowest bits
//   y     [1][H][W] vectors: red, green, blue and, in the fourth lane, alpha. With GREY, the first
//         lane is the BT.601 luma, and the other lanes are zero. Convolutions ignore the fourth
//         lane, because their weights for it are zero. conv/pack.wgsl obtains the output's alpha by
//         enlarging the alpha in `y`. packRgba8.wgsl enlarges the alpha of `image` instead.
// One invocation converts one pixel. Workgroups have 8 x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines E, E4, RANGE, GREY, WIDE, PADDED and
// PADDING.

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  image_width: u32,
  col0: u32,
  row0: u32,
  image_height: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> image: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

fn reflected(i: u32, size: u32) -> u32 {
  let period = max(2u * size, 3u) - 2u;
  let at = i % period;
  return min(at, period - at);
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let image_row = reflected(params.row0 + row, params.image_height);
  let image_col = reflected(params.col0 + col, params.image_width);
  let at = image_row * params.image_width + image_col;
  var v = vec4f();
  if WIDE {
    let words = vec2u(image[2u * at], image[2u * at + 1u]);
    v = vec4f((words.xxyy >> vec4u(0u, 16u, 0u, 16u)) & vec4u(65535u)) * (RANGE / 65535.0);
  } else {
    v = vec4f((vec4u(image[at]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u)) * (RANGE / 255.0);
  }
  if GREY {
    v = vec4f(dot(v, vec4f(0.299, 0.587, 0.114, 0.0)), 0.0, 0.0, 0.0);
  }
  #if PADDED
    if params.row0 + row >= params.image_height || params.col0 + col >= params.image_width {
      v = vec4f(vec3f(PADDING), 0.0);
    }
  #end
  y[row * params.width + col] = E4(v);
}
