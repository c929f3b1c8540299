// 3x3 convolution as conv3x3.wgsl has it, for adapters on which loads are what takes the time
// (software rasterizers: a vector load costs as much as four matrix products): 5 blocks of output
// channels share each pixel that is loaded, and the four invocations of a quad load a matrix together.
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-1, x+kx-1] + b[o] ) )
// The addend, the multiplier and PReLU are left to conv3x3Quad3.wgsl: see quad.wgsl.
// Bindings as conv3x3.wgsl, but the matrices of the weights are transposed: column r holds the taps of
// the block's output channel r.
//
// One invocation computes eight neighbouring pixels of 5 blocks. Lane l of a quad loads column l of
// each matrix and gets the others by swapping within the quad, in an order of its own: l, l^1, l^2,
// l^3. Its sums are of the output channels in that order, until `reorder` puts them right at the end.
// Workgroup 4 x 16 x 1, 32 x 16 pixels; grid z = 5 blocks. No invocation returns early, since swaps
// need the whole quad.
// Channels, epilogue and enlargement are uniforms, so that all layers share one pipeline.
// Prelude: E, E4, E4x4; lib/quad.wgsl.

#import conv/quad
#if SIGMOID
#import conv/quadSigmoid
#else
#import conv/quadLinear
#end

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
  upsample: u32,
}

const BLOCKS = 5u;

fn column_inside(col: i32) -> bool {
  return col >= 0 && col < i32(params.width);
}

// The index is clamped rather than branched around: software drivers take branches dearly.
fn column(col: i32) -> u32 {
  return u32(clamp(col, 0, i32(params.width) - 1)) / params.upsample;
}

fn read_x(at: u32, inside: bool) -> vec4f {
  return select(vec4f(0.0), vec4f(x[at]), inside);
}

@compute @workgroup_size(4, 16, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = subgroup_lane & 3u;
  let col = (group.x * 4u + local.x) * 8u;
  let row = (group.y + params.group_row) * 16u + local.y;
  // All lanes of a quad have one row. Of a picture one pixel high these are fifteen of sixteen.
  if row >= params.height {
    return;
  }
  let block = group.z * BLOCKS;
  let c = i32(col);
  let w = params.width / params.upsample;
  let plane = w * (params.height / params.upsample);
  let stride = params.in_blocks * 9u;
  let in0 = column_inside(c - 1);
  let at0 = column(c - 1);
  let in1 = column_inside(c);
  let at1 = column(c);
  let in2 = column_inside(c + 1);
  let at2 = column(c + 1);
  let in3 = column_inside(c + 2);
  let at3 = column(c + 2);
  let in4 = column_inside(c + 3);
  let at4 = column(c + 3);
  let in5 = column_inside(c + 4);
  let at5 = column(c + 4);
  let in6 = column_inside(c + 5);
  let at6 = column(c + 5);
  let in7 = column_inside(c + 6);
  let at7 = column(c + 6);
  let in8 = column_inside(c + 7);
  let at8 = column(c + 7);
  let in9 = column_inside(c + 8);
  let at9 = column(c + 8);

  let b0 = reorder(vec4f(bias[min(block, params.out_blocks - 1u)]), lane);
  let b1 = reorder(vec4f(bias[min(block + 1u, params.out_blocks - 1u)]), lane);
  let b2 = reorder(vec4f(bias[min(block + 2u, params.out_blocks - 1u)]), lane);
  let b3 = reorder(vec4f(bias[min(block + 3u, params.out_blocks - 1u)]), lane);
  let b4 = reorder(vec4f(bias[min(block + 4u, params.out_blocks - 1u)]), lane);
  var p00 = b0;
  var p01 = b0;
  var p02 = b0;
  var p03 = b0;
  var p04 = b0;
  var p05 = b0;
  var p06 = b0;
  var p07 = b0;
  var p10 = b1;
  var p11 = b1;
  var p12 = b1;
  var p13 = b1;
  var p14 = b1;
  var p15 = b1;
  var p16 = b1;
  var p17 = b1;
  var p20 = b2;
  var p21 = b2;
  var p22 = b2;
  var p23 = b2;
  var p24 = b2;
  var p25 = b2;
  var p26 = b2;
  var p27 = b2;
  var p30 = b3;
  var p31 = b3;
  var p32 = b3;
  var p33 = b3;
  var p34 = b3;
  var p35 = b3;
  var p36 = b3;
  var p37 = b3;
  var p40 = b4;
  var p41 = b4;
  var p42 = b4;
  var p43 = b4;
  var p44 = b4;
  var p45 = b4;
  var p46 = b4;
  var p47 = b4;
  for (var i = 0u; i < params.in_blocks; i++) {
    for (var k = 0u; k < 3u; k++) {
      let in_row = i32(row + k) - 1;
      let inside = in_row >= 0 && in_row < i32(params.height);
      let line = i * plane + select(0u, u32(in_row), inside) / params.upsample * w;
      let taps = block * stride + i * 9u + k * 3u;
      let v0 = read_x(line + at0, inside && in0);
      let v1 = read_x(line + at1, inside && in1);
      let v2 = read_x(line + at2, inside && in2);
      let v3 = read_x(line + at3, inside && in3);
      let v4 = read_x(line + at4, inside && in4);
      let v5 = read_x(line + at5, inside && in5);
      let v6 = read_x(line + at6, inside && in6);
      let v7 = read_x(line + at7, inside && in7);
      let v8 = read_x(line + at8, inside && in8);
      let v9 = read_x(line + at9, inside && in9);
      let w00 = load_matrix(taps, lane);
      let w01 = load_matrix(taps + 1u, lane);
      let w02 = load_matrix(taps + 2u, lane);
      let w10 = load_matrix(taps + stride, lane);
      let w11 = load_matrix(taps + stride + 1u, lane);
      let w12 = load_matrix(taps + stride + 2u, lane);
      let w20 = load_matrix(taps + 2u * stride, lane);
      let w21 = load_matrix(taps + 2u * stride + 1u, lane);
      let w22 = load_matrix(taps + 2u * stride + 2u, lane);
      let w30 = load_matrix(taps + 3u * stride, lane);
      let w31 = load_matrix(taps + 3u * stride + 1u, lane);
      let w32 = load_matrix(taps + 3u * stride + 2u, lane);
      let w40 = load_matrix(taps + 4u * stride, lane);
      let w41 = load_matrix(taps + 4u * stride + 1u, lane);
      let w42 = load_matrix(taps + 4u * stride + 2u, lane);
      p00 += v0 * w00;
      p10 += v0 * w10;
      p20 += v0 * w20;
      p30 += v0 * w30;
      p40 += v0 * w40;
      p01 += v1 * w00;
      p11 += v1 * w10;
      p21 += v1 * w20;
      p31 += v1 * w30;
      p41 += v1 * w40;
      p00 += v1 * w01;
      p10 += v1 * w11;
      p20 += v1 * w21;
      p30 += v1 * w31;
      p40 += v1 * w41;
      p02 += v2 * w00;
      p12 += v2 * w10;
      p22 += v2 * w20;
      p32 += v2 * w30;
      p42 += v2 * w40;
      p01 += v2 * w01;
      p11 += v2 * w11;
      p21 += v2 * w21;
      p31 += v2 * w31;
      p41 += v2 * w41;
      p00 += v2 * w02;
      p10 += v2 * w12;
      p20 += v2 * w22;
      p30 += v2 * w32;
      p40 += v2 * w42;
      p03 += v3 * w00;
      p13 += v3 * w10;
      p23 += v3 * w20;
      p33 += v3 * w30;
      p43 += v3 * w40;
      p02 += v3 * w01;
      p12 += v3 * w11;
      p22 += v3 * w21;
      p32 += v3 * w31;
      p42 += v3 * w41;
      p01 += v3 * w02;
      p11 += v3 * w12;
      p21 += v3 * w22;
      p31 += v3 * w32;
      p41 += v3 * w42;
      p04 += v4 * w00;
      p14 += v4 * w10;
      p24 += v4 * w20;
      p34 += v4 * w30;
      p44 += v4 * w40;
      p03 += v4 * w01;
      p13 += v4 * w11;
      p23 += v4 * w21;
      p33 += v4 * w31;
      p43 += v4 * w41;
      p02 += v4 * w02;
      p12 += v4 * w12;
      p22 += v4 * w22;
      p32 += v4 * w32;
      p42 += v4 * w42;
      p05 += v5 * w00;
      p15 += v5 * w10;
      p25 += v5 * w20;
      p35 += v5 * w30;
      p45 += v5 * w40;
      p04 += v5 * w01;
      p14 += v5 * w11;
      p24 += v5 * w21;
      p34 += v5 * w31;
      p44 += v5 * w41;
      p03 += v5 * w02;
      p13 += v5 * w12;
      p23 += v5 * w22;
      p33 += v5 * w32;
      p43 += v5 * w42;
      p06 += v6 * w00;
      p16 += v6 * w10;
      p26 += v6 * w20;
      p36 += v6 * w30;
      p46 += v6 * w40;
      p05 += v6 * w01;
      p15 += v6 * w11;
      p25 += v6 * w21;
      p35 += v6 * w31;
      p45 += v6 * w41;
      p04 += v6 * w02;
      p14 += v6 * w12;
      p24 += v6 * w22;
      p34 += v6 * w32;
      p44 += v6 * w42;
      p07 += v7 * w00;
      p17 += v7 * w10;
      p27 += v7 * w20;
      p37 += v7 * w30;
      p47 += v7 * w40;
      p06 += v7 * w01;
      p16 += v7 * w11;
      p26 += v7 * w21;
      p36 += v7 * w31;
      p46 += v7 * w41;
      p05 += v7 * w02;
      p15 += v7 * w12;
      p25 += v7 * w22;
      p35 += v7 * w32;
      p45 += v7 * w42;
      p07 += v8 * w01;
      p17 += v8 * w11;
      p27 += v8 * w21;
      p37 += v8 * w31;
      p47 += v8 * w41;
      p06 += v8 * w02;
      p16 += v8 * w12;
      p26 += v8 * w22;
      p36 += v8 * w32;
      p46 += v8 * w42;
      p07 += v9 * w02;
      p17 += v9 * w12;
      p27 += v9 * w22;
      p37 += v9 * w32;
      p47 += v9 * w42;
    }
  }

  // An array, so that the epilogue is compiled once, not for each of the sums.
  var p: array<vec4f, 8u * BLOCKS>;
  p[0] = p00;
  p[1] = p01;
  p[2] = p02;
  p[3] = p03;
  p[4] = p04;
  p[5] = p05;
  p[6] = p06;
  p[7] = p07;
  p[8] = p10;
  p[9] = p11;
  p[10] = p12;
  p[11] = p13;
  p[12] = p14;
  p[13] = p15;
  p[14] = p16;
  p[15] = p17;
  p[16] = p20;
  p[17] = p21;
  p[18] = p22;
  p[19] = p23;
  p[20] = p24;
  p[21] = p25;
  p[22] = p26;
  p[23] = p27;
  p[24] = p30;
  p[25] = p31;
  p[26] = p32;
  p[27] = p33;
  p[28] = p34;
  p[29] = p35;
  p[30] = p36;
  p[31] = p37;
  p[32] = p40;
  p[33] = p41;
  p[34] = p42;
  p[35] = p43;
  p[36] = p44;
  p[37] = p45;
  p[38] = p46;
  p[39] = p47;
  for (var i = 0u; i < 8u * BLOCKS; i++) {
    store_pixel(block + i / 8u, row, col + i % 8u, reorder(p[i], lane));
  }
}
