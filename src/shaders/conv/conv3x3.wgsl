// 3x3 convolution, stride 1, zero padding, with bias and epilogue:
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-1, x+kx-1] + b[o] ) * m * factor + r )
// m and r (either may be absent) are feature maps of the output's shape.
// UPSAMPLE > 1 reads x through a nearest enlargement by that factor, which is never materialised.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, absent channels zero.
//   x       [in_blocks][h][w]    with H = h * UPSAMPLE, W = w * UPSAMPLE
//   weights [out_blocks][in_blocks][9] mat4x4: column c holds the taps of input channel c for the
//           block's four output channels, so that M * v sums over input channels
//   bias    [out_blocks]         (zeros if the layer has none), then the slopes [out_blocks] of a PReLU
//   m, r, y [out_blocks][H][W]
//
// One invocation computes eight neighbouring pixels of one block of output channels. Input columns
// stream past the eight sums, so that few values live at a time; more pixels would share each weight
// further, at the price of registers. Workgroup 4 x 16 x 1, 32 x 16 pixels; grid z = output block, so
// weights are uniform across a workgroup.
// Channels and epilogue are uniforms, not constants, so that all layers share one pipeline:
// compiling takes longer than the branches ever will.
// Prelude: E, E4, E4x4 (element, vec4 and mat4x4 type of storage), UPSAMPLE.

#import lib/epilogue

struct Params {
  width: u32,       // W, of the output
  height: u32,      // H
  group_row: u32,   // first row of workgroups of this dispatch: large layers run in pieces
  in_blocks: u32,
  epilogue: u32,    // act0 | act1 << 4 | (m present) << 8 | (r present) << 9
  slope0: f32,
  slope1: f32,
  factor: f32,
  out_blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read> multiplier: array<E4>;
@group(0) @binding(5) var<storage, read> addend: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

const_assert UPSAMPLE > 0u;

// The index is clamped rather than branched around: software drivers take branches dearly.
fn read_x(line: u32, col: i32, row_inside: bool) -> vec4f {
  let inside = row_inside && col >= 0 && col < i32(params.width);
  return select(vec4f(0.0), vec4f(x[line + select(0u, u32(col) / UPSAMPLE, inside)]), inside);
}

fn store_pixel(block: u32, row: u32, col: u32, sum: vec4f) {
  if row >= params.height || col >= params.width {
    return;
  }
  let at = (block * params.height + row) * params.width + col;
  let act0 = params.epilogue & 15u;
  var slopes = vec4f(0.0);
  if act0 == ACTIVATION_PRELU {
    slopes = vec4f(bias[params.out_blocks + block]);
  }
  var v = activate_by_channel(act0, params.slope0, slopes, sum);
  if (params.epilogue & 256u) != 0u {
    v *= vec4f(multiplier[at]);
  }
  if (params.epilogue & 512u) != 0u {
    v = v * params.factor + vec4f(addend[at]);
  }
  y[at] = E4(activate((params.epilogue >> 4u) & 15u, params.slope1, v));
}

@compute @workgroup_size(4, 16, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = (group.x * 4u + local.x) * 8u;
  let row = (group.y + params.group_row) * 16u + local.y;
  let block = group.z;
  if row >= params.height || col >= params.width {
    return;
  }
  let c = i32(col);
  let w = params.width / UPSAMPLE;
  let plane = w * (params.height / UPSAMPLE);

  let b = vec4f(bias[block]);
  var p0 = b;
  var p1 = b;
  var p2 = b;
  var p3 = b;
  var p4 = b;
  var p5 = b;
  var p6 = b;
  var p7 = b;
  for (var i = 0u; i < params.in_blocks; i++) {
    for (var k = 0u; k < 3u; k++) {
      let in_row = i32(row + k) - 1;
      let inside = in_row >= 0 && in_row < i32(params.height);
      let line = i * plane + select(0u, u32(in_row) / UPSAMPLE, inside) * w;
      let taps = (block * params.in_blocks + i) * 9u + k * 3u;
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

  store_pixel(block, row, col, p0);
  store_pixel(block, row, col + 1u, p1);
  store_pixel(block, row, col + 2u, p2);
  store_pixel(block, row, col + 3u, p3);
  store_pixel(block, row, col + 4u, p4);
  store_pixel(block, row, col + 5u, p5);
  store_pixel(block, row, col + 6u, p6);
  store_pixel(block, row, col + 7u, p7);
}
