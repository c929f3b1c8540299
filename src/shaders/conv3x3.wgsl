// 3x3 convolution, stride 1, zero padding, with bias and epilogue:
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-1, x+kx-1] + b[o] ) * m * FACTOR + r )
// m (HAS_MUL) and r (HAS_ADD) are feature maps of the output's shape.
// UPSAMPLE > 1 reads x through a nearest enlargement by that factor, which is never materialised.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, absent channels zero.
//   x       [IN_BLOCKS][h][w]    with H = h * UPSAMPLE, W = w * UPSAMPLE
//   weights [OUT_BLOCKS][IN_BLOCKS][9] mat4x4: column c holds the taps of input channel c for the
//           block's four output channels, so that M * v sums over input channels
//   bias    [OUT_BLOCKS]         (zeros if the layer has none), then the slopes [OUT_BLOCKS] of a PReLU
//   m, r, y [OUT_BLOCKS][H][W]
//
// One invocation computes a 4 x 2 rectangle of pixels (x by y) of one block of output channels;
// workgroup 8 x 8 x 1; grid z = output block, so weights are uniform across a workgroup.
// Prelude: E, E4, E4x4 (element, vec4 and mat4x4 type of storage), IN_BLOCKS, OUT_BLOCKS, UPSAMPLE,
//   ACT0, SLOPE0, ACT1, SLOPE1, HAS_MUL, HAS_ADD, FACTOR.

struct Params {
  width: u32,       // W, of the output
  height: u32,      // H
  group_row: u32,   // first row of workgroups of this dispatch: large layers run in pieces
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> multiplier: array<E4>;
@group(0) @binding(5) var<storage, read> addend: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

const_assert IN_BLOCKS > 0u && OUT_BLOCKS > 0u && UPSAMPLE > 0u;

// The four columns 0..3 of an output row for one row of taps.
struct Row {
  p0: vec4f,
  p1: vec4f,
  p2: vec4f,
  p3: vec4f,
}

fn read_x(base: u32, row: i32, col: i32, row_inside: bool) -> vec4f {
  if !row_inside || col < 0 || col >= i32(params.width) {
    return vec4f(0.0);
  }
  return vec4f(x[base + u32(row) * (params.width / UPSAMPLE) + u32(col) / UPSAMPLE]);
}

fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) {
  if row >= params.height || col >= params.width {
    return;
  }
  let at = (block * params.height + row) * params.width + col;
  var slopes = vec4f(0.0);
  if ACT0 == ACTIVATION_PRELU {
    slopes = vec4f(bias[OUT_BLOCKS + block]);
  }
  var v = activate_by_channel(ACT0, SLOPE0, slopes, sum);
  if HAS_MUL {
    v *= vec4f(multiplier[at]);
  }
  if HAS_ADD {
    v = v * FACTOR + vec4f(addend[at]);
  }
  y[at] = E4(activate(ACT1, SLOPE1, v));
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = (group.x * 8u + local.x) * 4u;
  let row = ((group.y + params.group_row) * 8u + local.y) * 2u;
  let block = group.z;
  if row >= params.height || col >= params.width {
    return;
  }
  let c = i32(col);
  let plane = (params.width / UPSAMPLE) * (params.height / UPSAMPLE);

  let b = vec4f(bias[block]);
  var upper = Row(b, b, b, b);
  var lower = Row(b, b, b, b);

  for (var i = 0u; i < IN_BLOCKS; i++) {
    let base = i * plane;
    let taps = (block * IN_BLOCKS + i) * 9u;
    // Four input rows; row k serves the upper output row as tap row k and the lower as k - 1.
    for (var k = 0u; k < 4u; k++) {
      let in_row = i32(row + k) - 1;
      let inside = in_row >= 0 && in_row < i32(params.height);
      let src = in_row / i32(UPSAMPLE);
      let v0 = read_x(base, src, c - 1, inside);
      let v1 = read_x(base, src, c, inside);
      let v2 = read_x(base, src, c + 1, inside);
      let v3 = read_x(base, src, c + 2, inside);
      let v4 = read_x(base, src, c + 3, inside);
      let v5 = read_x(base, src, c + 4, inside);
      if k < 3u {
        let w0 = mat4x4f(weights[taps + k * 3u]);
        let w1 = mat4x4f(weights[taps + k * 3u + 1u]);
        let w2 = mat4x4f(weights[taps + k * 3u + 2u]);
        upper.p0 += w0 * v0 + w1 * v1 + w2 * v2;
        upper.p1 += w0 * v1 + w1 * v2 + w2 * v3;
        upper.p2 += w0 * v2 + w1 * v3 + w2 * v4;
        upper.p3 += w0 * v3 + w1 * v4 + w2 * v5;
      }
      if k > 0u {
        let w0 = mat4x4f(weights[taps + k * 3u - 3u]);
        let w1 = mat4x4f(weights[taps + k * 3u - 2u]);
        let w2 = mat4x4f(weights[taps + k * 3u - 1u]);
        lower.p0 += w0 * v0 + w1 * v1 + w2 * v2;
        lower.p1 += w0 * v1 + w1 * v2 + w2 * v3;
        lower.p2 += w0 * v2 + w1 * v3 + w2 * v4;
        lower.p3 += w0 * v3 + w1 * v4 + w2 * v5;
      }
    }
  }

  store_pixel(block, row, col, upper.p0);
  store_pixel(block, row, col + 1u, upper.p1);
  store_pixel(block, row, col + 2u, upper.p2);
  store_pixel(block, row, col + 3u, upper.p3);
  store_pixel(block, row + 1u, col, lower.p0);
  store_pixel(block, row + 1u, col + 1u, lower.p1);
  store_pixel(block, row + 1u, col + 2u, lower.p2);
  store_pixel(block, row + 1u, col + 3u, lower.p3);
}
