// 3x3 convolution, stride 1, zero padding, with bias and epilogue:
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-1, x+kx-1] + b[o] ) * m + r )
// m (HAS_MUL) and r (HAS_ADD) are feature maps of the output's shape.
// UPSAMPLE > 1 reads x through a nearest enlargement by that factor, which is never materialised.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, absent channels zero.
//   x       [IN_BLOCKS][h][w]    with H = h * UPSAMPLE, W = w * UPSAMPLE
//   weights [OUT_BLOCKS][IN_BLOCKS][9] mat4x4: column c holds the taps of input channel c for the
//           block's four output channels, so that M * v sums over input channels
//   bias    [OUT_BLOCKS]         (zeros if the layer has none)
//   m, r, y [OUT_BLOCKS][H][W]
//
// One invocation computes a 4 x 2 rectangle of pixels (x by y) of one block of output channels;
// workgroup 8 x 8 x 1; grid z = output block, so weights are uniform across a workgroup.
// Prelude: E, E4, E4x4 (element, vec4 and mat4x4 type of storage), IN_BLOCKS, OUT_BLOCKS, UPSAMPLE,
//   ACT0, SLOPE0, ACT1, SLOPE1, HAS_MUL, HAS_ADD.

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

// Sums of four neighbouring pixels.
struct Sums {
  p0: vec4f,
  p1: vec4f,
  p2: vec4f,
  p3: vec4f,
}

// Four neighbouring pixels of an input row with one more on either side.
struct Row {
  left: vec4f,
  p0: vec4f,
  p1: vec4f,
  p2: vec4f,
  p3: vec4f,
  right: vec4f,
}

// Zero outside of the image. Loads are clamped and masked rather than branched around.
fn read_row(base: u32, row: i32, col: i32) -> Row {
  let last = i32(params.width) - 1;
  let line = base + u32(clamp(row, 0, i32(params.height) - 1)) / UPSAMPLE * (params.width / UPSAMPLE);
  let inside = row >= 0 && row < i32(params.height);
  return Row(
    read_x(line, col - 1, last, inside),
    read_x(line, col, last, inside),
    read_x(line, col + 1, last, inside),
    read_x(line, col + 2, last, inside),
    read_x(line, col + 3, last, inside),
    read_x(line, col + 4, last, inside),
  );
}

fn read_x(line: u32, col: i32, last: i32, row_inside: bool) -> vec4f {
  let v = vec4f(x[line + u32(clamp(col, 0, last)) / UPSAMPLE]);
  return select(vec4f(0.0), v, row_inside && col >= 0 && col <= last);
}

fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) {
  if row >= params.height || col >= params.width {
    return;
  }
  let at = (block * params.height + row) * params.width + col;
  var v = activate(ACT0, SLOPE0, sum);
  if HAS_MUL {
    v *= vec4f(multiplier[at]);
  }
  if HAS_ADD {
    v += vec4f(addend[at]);
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
  var upper = Sums(b, b, b, b);
  var lower = Sums(b, b, b, b);

  for (var i = 0u; i < IN_BLOCKS; i++) {
    let base = i * plane;
    let taps = (block * IN_BLOCKS + i) * 9u;
    // Tap row k meets input row k for the upper output row and k + 1 for the lower one, so each
    // input row and each weight is loaded once.
    var v = read_row(base, i32(row) - 1, c);
    for (var k = 0u; k < 3u; k++) {
      let next = read_row(base, i32(row + k), c);
      let w0 = mat4x4f(weights[taps + k * 3u]);
      let w1 = mat4x4f(weights[taps + k * 3u + 1u]);
      let w2 = mat4x4f(weights[taps + k * 3u + 2u]);
      upper.p0 += w0 * v.left + w1 * v.p0 + w2 * v.p1;
      upper.p1 += w0 * v.p0 + w1 * v.p1 + w2 * v.p2;
      upper.p2 += w0 * v.p1 + w1 * v.p2 + w2 * v.p3;
      upper.p3 += w0 * v.p2 + w1 * v.p3 + w2 * v.right;
      lower.p0 += w0 * next.left + w1 * next.p0 + w2 * next.p1;
      lower.p1 += w0 * next.p0 + w1 * next.p1 + w2 * next.p2;
      lower.p2 += w0 * next.p1 + w1 * next.p2 + w2 * next.p3;
      lower.p3 += w0 * next.p2 + w1 * next.p3 + w2 * next.right;
      v = next;
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
