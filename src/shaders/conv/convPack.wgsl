// The end of a network, fused: 3x3 convolution to RGB, plus the bilinear skip, as 8-bit RGBA:
//   image = round(clamp((w * x + b + bilinear(lr)) * 255 / RANGE, 0, 255))
// zero padding; bilinear with half-pixel centres and clamped edges; half rounds to even.
//
//   x       [IN_BLOCKS][H][W] vectors of 4 channels (Chw4c), H = h * SCALE, W = w * SCALE
//   weights [1][IN_BLOCKS][9] mat4x4, column c = input channel c
//   bias    [1]
//   lr      [1][h][w]: red, green, blue, alpha in 0..RANGE. The fourth lane has no weights, so alpha
//           is enlarged by the skip alone.
//   image   [cropHeight][cropWidth] u32, red in the lowest byte: the rectangle of the output at
//           (col0, row0)
//   status  one u32: set to 1 if any value is NaN or infinite
//
// One invocation computes eight neighbouring pixels; workgroup 4 x 16 x 1, 32 x 16 pixels.
// Prelude: E, E4, E4x4, IN_BLOCKS, SCALE, RANGE.

struct Params {
  width: u32,       // of the rectangle
  height: u32,
  group_row: u32,
  map_width: u32,   // W
  map_height: u32,  // H
  col0: u32,
  row0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> lr: array<E4>;
@group(0) @binding(5) var<storage, read_write> image: array<u32>;
@group(0) @binding(6) var<storage, read_write> status: atomic<u32>;

// The index is clamped rather than branched around: software drivers take branches dearly.
fn read_x(line: u32, col: i32, row_inside: bool) -> vec4f {
  let inside = row_inside && col >= 0 && col < i32(params.map_width);
  return select(vec4f(0.0), vec4f(x[line + select(0u, u32(col), inside)]), inside);
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

fn store(row: u32, col: u32, sum: vec4f) {
  if col >= params.width {
    return;
  }
  let v = sum + skip(row + params.row0, col + params.col0);
  // By the bits: a compiler may assume that floats are finite.
  let exponents = bitcast<vec4u>(v) & vec4u(0x7f800000u);
  if any(exponents == vec4u(0x7f800000u)) {
    atomicStore(&status, 1u);
  }
  let bytes = vec4u(round(clamp(v * (255.0 / RANGE), vec4f(0.0), vec4f(255.0))));
  image[row * params.width + col] =
    bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}

@compute @workgroup_size(4, 16, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = (group.x * 4u + local.x) * 8u;
  let row = (group.y + params.group_row) * 16u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }
  let plane = params.map_width * params.map_height;
  let c = i32(col + params.col0);
  let b = vec4f(bias[0]);
  var p0 = b;
  var p1 = b;
  var p2 = b;
  var p3 = b;
  var p4 = b;
  var p5 = b;
  var p6 = b;
  var p7 = b;
  for (var i = 0u; i < IN_BLOCKS; i++) {
    for (var k = 0u; k < 3u; k++) {
      let in_row = i32(row + params.row0 + k) - 1;
      let inside = in_row >= 0 && in_row < i32(params.map_height);
      let line = i * plane + select(0u, u32(in_row), inside) * params.map_width;
      let taps = i * 9u + k * 3u;
      let w0 = mat4x4f(weights[taps]);
      let w1 = mat4x4f(weights[taps + 1u]);
      let w2 = mat4x4f(weights[taps + 2u]);
      let v0 = read_x(line, c - 1, inside);
      p0 += w0 * v0;
      let v1 = read_x(line, c, inside);
      p1 += w0 * v1;
      p0 += w1 * v1;
      let v2 = read_x(line, c + 1, inside);
      p2 += w0 * v2;
      p1 += w1 * v2;
      p0 += w2 * v2;
      let v3 = read_x(line, c + 2, inside);
      p3 += w0 * v3;
      p2 += w1 * v3;
      p1 += w2 * v3;
      let v4 = read_x(line, c + 3, inside);
      p4 += w0 * v4;
      p3 += w1 * v4;
      p2 += w2 * v4;
      let v5 = read_x(line, c + 4, inside);
      p5 += w0 * v5;
      p4 += w1 * v5;
      p3 += w2 * v5;
      let v6 = read_x(line, c + 5, inside);
      p6 += w0 * v6;
      p5 += w1 * v6;
      p4 += w2 * v6;
      let v7 = read_x(line, c + 6, inside);
      p7 += w0 * v7;
      p6 += w1 * v7;
      p5 += w2 * v7;
      let v8 = read_x(line, c + 7, inside);
      p7 += w1 * v8;
      p6 += w2 * v8;
      let v9 = read_x(line, c + 8, inside);
      p7 += w2 * v9;
    }
  }
  store(row, col, p0);
  store(row, col + 1u, p1);
  store(row, col + 2u, p2);
  store(row, col + 3u, p3);
  store(row, col + 4u, p4);
  store(row, col + 5u, p5);
  store(row, col + 6u, p6);
  store(row, col + 7u, p7);
}
