// Converts a rectangle of a feature map to RGBA with 8 bits per sample or, with WIDE, 16 bits.
// Values are clamped to 0..RANGE and rounded half to even. Alpha is the alpha of the low-resolution
// (LR) image, enlarged bilinearly (half-pixel centres, clamped edges). With GREY, the network's
// single channel is luma, and the colour differences of the LR image are enlarged in the same way.
//   x      [1][map_height][map_width] vectors: red, green, blue; with GREY: luma
//   source [image_height][image_width] pixels of the LR image, in the same layout as `image`
//   image  [H][W] pixels: one u32 (with WIDE, two), red in the lowest bits
//   status two u32. `status[0]` becomes 1 if any value is NaN or infinite, because a broken result
//          must cause an error instead of a black image. Each workgroup adds `mark` to `status[1]`,
//          so the sum shows whether all workgroups ran.
// One invocation converts one pixel. Workgroups have 8 x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines E, E4, RANGE, SCALE, GREY and WIDE.

struct Params {
  width: u32,       // The width of the rectangle.
  height: u32,
  group_row: u32,
  map_width: u32,
  col0: u32,        // The first column of the rectangle within the map.
  row0: u32,
  image_width: u32,
  image_height: u32,
  out_col0: u32,    // The first column of the rectangle within the whole output.
  out_row0: u32,
  mark: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> image: array<u32>;
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>, 2>;

#if WIDE
  const TOP = 65535.0;
#else
  const TOP = 255.0;
#end

fn source_pixel(row: u32, col: u32) -> vec4f {
  let at = row * params.image_width + col;
  if WIDE {
    let words = vec2u(source[2u * at], source[2u * at + 1u]);
    return vec4f((words.xxyy >> vec4u(0u, 16u, 0u, 16u)) & vec4u(65535u)) * (TOP / 65535.0);
  }
  return vec4f((vec4u(source[at]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u)) * (TOP / 255.0);
}

fn enlarged(row: u32, col: u32) -> vec4f {
  let s = max((vec2f(f32(col), f32(row)) + 0.5) / f32(SCALE) - 0.5, vec2f(0.0));
  let lo = vec2u(s);
  let hi = min(lo + 1u, vec2u(params.image_width - 1u, params.image_height - 1u));
  let f = s - vec2f(lo);
  let upper = mix(source_pixel(lo.y, lo.x), source_pixel(lo.y, hi.x), f.x);
  let lower = mix(source_pixel(hi.y, lo.x), source_pixel(hi.y, hi.x), f.x);
  return mix(upper, lower, f.y);
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let v = vec4f(x[(params.row0 + row) * params.map_width + params.col0 + col]);
  // NaN and infinity are recognised by their exponent bits. Comparing floats with infinity would
  // not be reliable: a compiler may assume that floats are finite and drop the comparison.
  let exponents = bitcast<vec4u>(v) & vec4u(0x7f800000u);
  if any(exponents == vec4u(0x7f800000u)) {
    atomicStore(&status[0], 1u);
  }
  let below = enlarged(params.out_row0 + row, params.out_col0 + col);
  var rgb = v.xyz * (TOP / RANGE);
  if GREY {
    rgb = rgb.xxx + below.xyz - dot(below.xyz, vec3f(0.299, 0.587, 0.114));
  }
  // round() rounds half to even, as the reference implementation does.
  let u = vec4u(round(clamp(vec4f(rgb, below.w), vec4f(0.0), vec4f(TOP))));
  let at = row * params.width + col;
  if WIDE {
    image[2u * at] = u.x | (u.y << 16u);
    image[2u * at + 1u] = u.z | (u.w << 16u);
  } else {
    image[at] = u.x | (u.y << 8u) | (u.z << 16u) | (u.w << 24u);
  }
  if all(local.xy == vec2u(0u)) {
    atomicAdd(&status[1], params.mark);
  }
}
