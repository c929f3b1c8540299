// A rectangle of a feature map as 8-bit RGBA: clamped to 0..RANGE, rounded half to even.
//   x      [1][mapHeight][mapWidth] vectors: red, green, blue, alpha
//   image  [H][W] u32, red in the lowest byte
//   status one u32: set to 1 if any value is NaN or infinite, so that a broken result is reported
//          and never shown as black
// One invocation converts one pixel; workgroup 8 x 8 x 1. Prelude: E, E4, RANGE.

struct Params {
  width: u32,       // of the rectangle
  height: u32,
  group_row: u32,
  map_width: u32,
  col0: u32,
  row0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> image: array<u32>;
@group(0) @binding(3) var<storage, read_write> status: atomic<u32>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }
  let v = vec4f(x[(params.row0 + row) * params.map_width + params.col0 + col]);
  // By the bits: a compiler may assume that floats are finite and drop comparisons with infinity.
  let exponents = bitcast<vec4u>(v) & vec4u(0x7f800000u);
  if any(exponents == vec4u(0x7f800000u)) {
    atomicStore(&status, 1u);
  }
  // round() is half to even, as the reference evaluation has it.
  let bytes = vec4u(round(clamp(v * (255.0 / RANGE), vec4f(0.0), vec4f(255.0))));
  image[row * params.width + col] =
    bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}
