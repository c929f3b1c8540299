// The bindings and epilogue of conv.wgsl for a network's last layer. This layer is a 3x3
// convolution to RGB. It adds the bilinear skip connection and stores the sum as 8-bit RGBA:
//   image = round(clamp((w * x + b + bilinear(lr)) * 255 / RANGE, 0, 255)).
// The convolution has zero padding. The bilinear enlargement has half-pixel centres and clamped
// edges. Ties round to even.
//
//   x       [IN_BLOCKS][H][W] vectors of 4 channels (Chw4c), H = h * SCALE, W = w * SCALE
//   weights [1][IN_BLOCKS][9] mat4x4, column c = input channel c
//   bias    [1]
//   lr      [1][h][w]: red, green, blue, alpha in 0..RANGE. The convolution computes only red,
//           green and blue. The output's alpha is the bilinearly enlarged alpha of `lr`.
//   image   [height][width] u32, red in the lowest byte: a rectangle of the output, with its top
//           left pixel at (col0, row0).
//   status  [2] u32.
// The kernel sets `status[0]` to 1 if any value is NaN or infinite. Each workgroup adds `mark` to
// `status[1]`, so that the CPU can check whether all workgroups ran.
// The prelude (code that is put before this shader) defines the type E4 and the constants
// IN_BLOCKS, SCALE and RANGE.

struct Params {
  width: u32,       // The width of the rectangle.
  height: u32,
  group_row: u32,
  map_width: u32,   // The map's width, `W`.
  map_height: u32,  // The map's height, `H`.
  col0: u32,
  row0: u32,
  mark: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> lr: array<E4>;
@group(0) @binding(5) var<storage, read_write> image: array<u32>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>, 2>;

fn bias_of(block: u32) -> vec4f {
  return vec4f(bias[block]);
}

fn skip(row: u32, col: u32) -> vec4f {
  let w = params.map_width / SCALE;
  let h = params.map_height / SCALE;
  let s = max((vec2f(f32(col), f32(row)) + 0.5) / f32(SCALE) - 0.5, vec2f(0.0));
  let lo = vec2u(s);
  let hi = min(lo + 1u, vec2u(w - 1u, h - 1u));
  let f = s - vec2f(lo);
  let upper = mix(vec4f(lr[lo.y * w + lo.x]), vec4f(lr[lo.y * w + hi.x]), f.x);
  let lower = mix(vec4f(lr[hi.y * w + lo.x]), vec4f(lr[hi.y * w + hi.x]), f.x);
  return mix(upper, lower, f.y);
}

// Stores one pixel. `block` is not used, because there is only one block of output channels. Pixels
// outside the rectangle are dropped.
fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) -> vec4f {
  if row >= params.height || col >= params.width {
    return vec4f(0.0);
  }
  let v = sum + skip(row + params.row0, col + params.col0);
  // NaN and infinity are recognised by their exponent bits, because a compiler may assume that all
  // floats are finite.
  let exponents = bitcast<vec4u>(v) & vec4u(0x7f800000u);
  if any(exponents == vec4u(0x7f800000u)) {
    atomicStore(&status[0], 1u);
  }
  let bytes = vec4u(round(clamp(v * (255.0 / RANGE), vec4f(0.0), vec4f(255.0))));
  image[row * params.width + col] =
    bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
  return v;
}
