// The second half of a resize. It resizes the output of resampleColumns.wgsl vertically and
// converts it to pixels.
//   sum = sum over t of weight[j, t] * ring[first[j] + t, i]
//   image[j, i] = (encoded(sum.rgb / sum.a), sum.a)
// Values are clamped and rounded. Where alpha rounds to zero, the colour is black.
//   ring  [ring_rows][width] vec4f, with row r of the source at row r % ring_rows
//   taps  [out rows][1 + count] u32: `first[j]`, then the bits of the weights
//   image [height][width] pixels: one u32 of 8-bit samples or, with WIDE_OUT, two u32 of 16-bit
//         samples
// One invocation computes one pixel. Workgroups have 8 x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines WIDE_OUT.

struct Params {
  width: u32,
  height: u32, // The number of rows to compute.
  group_row: u32,
  row0: u32,        // The first row to compute within the whole result.
  ring_rows: u32,
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ring: array<vec4f>;
@group(0) @binding(2) var<storage, read> taps: array<u32>;
@group(0) @binding(3) var<storage, read_write> image: array<u32>;

#if WIDE_OUT
  const TOP = 65535.0;
#else
  const TOP = 255.0;
#end

fn encoded(v: vec3f) -> vec3f {
  return select(1.055 * pow(v, vec3f(1.0 / 2.4)) - 0.055, v * 12.92, v <= vec3f(0.0031308));
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let entry = (params.row0 + row) * (params.count + 1u);
  let first = taps[entry];
  var sum = vec4f(0.0);
  for (var t = 0u; t < params.count; t++) {
    sum += bitcast<f32>(taps[entry + 1u + t]) *
      ring[((first + t) % params.ring_rows) * params.width + col];
  }
  let alpha = round(clamp(sum.a, 0.0, 1.0) * TOP);
  var rgb = vec3f(0.0);
  if alpha > 0.0 {
    rgb = encoded(clamp(sum.rgb / sum.a, vec3f(0.0), vec3f(1.0)));
  }
  let v = vec4u(vec4f(round(rgb * TOP), alpha));
  let at = row * params.width + col;
  if WIDE_OUT {
    image[2u * at] = v.r | (v.g << 16u);
    image[2u * at + 1u] = v.b | (v.a << 16u);
  } else {
    image[at] = v.r | (v.g << 8u) | (v.b << 16u) | (v.a << 24u);
  }
}
