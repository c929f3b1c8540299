// The first half of a resize. It resizes the rows of an RGBA image horizontally, in linear light.
//   ring[r, i] = sum over t of weight[i, t] * premultiplied(linear(image[r, first[i] + t]))
//   image [rows][in_width] pixels, not premultiplied: one u32 of 8-bit samples or, with WIDE_IN,
//         two u32 of 16-bit samples, red in the lowest bits
//   taps  [width][1 + count] u32: `first[i]`, then the bits of the weights, which sum to one
//   ring  [ring_rows][width] vec4f: linear, premultiplied red, green and blue, then alpha, on a
//         scale from 0 to 1. Row r of the whole image is stored at row r % ring_rows.
// `linear()` decodes the sRGB curve (IEC 61966-2-1). The weights come from a table for two reasons:
// f32 is too coarse for large column positions, and every row needs the same weights. One
// invocation computes one pixel of the ring. Workgroups have 8 x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines WIDE_IN.

struct Params {
  width: u32,       // The width of the result.
  height: u32, // The number of rows in the bound image.
  group_row: u32,
  in_width: u32,
  row0: u32, // The first row of the bound image within the whole image.
  ring_rows: u32,
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> image: array<u32>;
@group(0) @binding(2) var<storage, read> taps: array<u32>;
@group(0) @binding(3) var<storage, read_write> ring: array<vec4f>;

fn pixel(at: u32) -> vec4f {
  if WIDE_IN {
    return vec4f(unpack2x16unorm(image[2u * at]), unpack2x16unorm(image[2u * at + 1u]));
  }
  return unpack4x8unorm(image[at]);
}

fn linear(v: vec3f) -> vec3f {
  return select(pow((v + 0.055) / 1.055, vec3f(2.4)), v / 12.92, v <= vec3f(0.04045));
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let entry = col * (params.count + 1u);
  let first = row * params.in_width + taps[entry];
  var sum = vec4f(0.0);
  for (var t = 0u; t < params.count; t++) {
    let v = pixel(first + t);
    sum += bitcast<f32>(taps[entry + 1u + t]) * vec4f(linear(v.rgb) * v.a, v.a);
  }
  ring[((params.row0 + row) % params.ring_rows) * params.width + col] = sum;
}
