// 1x1 convolution as conv1x1.wgsl has it, in the manner of conv3x3Quad5.wgsl: eight neighbouring
// pixels of five blocks of output channels per invocation, weights loaded by quads, their matrices
// transposed.
//   y = act1( act0( sum_i w[o,i] * x[i] + b[o] ) * m * factor + r )
// Workgroup 4 x 16 x 1, 32 x 16 pixels; grid z = 5 blocks. Prelude: E, E4, E4x4; lib/quad.wgsl.

#import conv/quad
#if SIGMOID
#import conv/quadSigmoid
#else
#import conv/quadLinear
#end

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  in_blocks: u32,
  epilogue: u32,    // act0 | act1 << 4 | (m present) << 8 | (r present) << 9
  slope0: f32,
  slope1: f32,
  factor: f32,
  out_blocks: u32,
}

const BLOCKS = 5u;

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
  let plane = params.width * params.height;
  // What lies outside reads a pixel at the border and is not stored.
  let first = min(row, params.height - 1u) * params.width + min(col, params.width - 1u);
  let rest = params.width - 1u - min(col, params.width - 1u);
  let at1 = min(1u, rest);
  let at2 = min(2u, rest);
  let at3 = min(3u, rest);
  let at4 = min(4u, rest);
  let at5 = min(5u, rest);
  let at6 = min(6u, rest);
  let at7 = min(7u, rest);

  var p00 = vec4f(0.0);
  var p01 = vec4f(0.0);
  var p02 = vec4f(0.0);
  var p03 = vec4f(0.0);
  var p04 = vec4f(0.0);
  var p05 = vec4f(0.0);
  var p06 = vec4f(0.0);
  var p07 = vec4f(0.0);
  var p10 = vec4f(0.0);
  var p11 = vec4f(0.0);
  var p12 = vec4f(0.0);
  var p13 = vec4f(0.0);
  var p14 = vec4f(0.0);
  var p15 = vec4f(0.0);
  var p16 = vec4f(0.0);
  var p17 = vec4f(0.0);
  var p20 = vec4f(0.0);
  var p21 = vec4f(0.0);
  var p22 = vec4f(0.0);
  var p23 = vec4f(0.0);
  var p24 = vec4f(0.0);
  var p25 = vec4f(0.0);
  var p26 = vec4f(0.0);
  var p27 = vec4f(0.0);
  var p30 = vec4f(0.0);
  var p31 = vec4f(0.0);
  var p32 = vec4f(0.0);
  var p33 = vec4f(0.0);
  var p34 = vec4f(0.0);
  var p35 = vec4f(0.0);
  var p36 = vec4f(0.0);
  var p37 = vec4f(0.0);
  var p40 = vec4f(0.0);
  var p41 = vec4f(0.0);
  var p42 = vec4f(0.0);
  var p43 = vec4f(0.0);
  var p44 = vec4f(0.0);
  var p45 = vec4f(0.0);
  var p46 = vec4f(0.0);
  var p47 = vec4f(0.0);
  for (var i = 0u; i < params.in_blocks; i++) {
    let base = i * plane + first;
    let taps = block * params.in_blocks + i;
    let v0 = vec4f(x[base]);
    let v1 = vec4f(x[base + at1]);
    let v2 = vec4f(x[base + at2]);
    let v3 = vec4f(x[base + at3]);
    let v4 = vec4f(x[base + at4]);
    let v5 = vec4f(x[base + at5]);
    let v6 = vec4f(x[base + at6]);
    let v7 = vec4f(x[base + at7]);
    let w0 = load_matrix(taps, lane);
    let w1 = load_matrix(taps + params.in_blocks, lane);
    let w2 = load_matrix(taps + 2u * params.in_blocks, lane);
    let w3 = load_matrix(taps + 3u * params.in_blocks, lane);
    let w4 = load_matrix(taps + 4u * params.in_blocks, lane);
    p00 += v0 * w0;
    p10 += v0 * w1;
    p20 += v0 * w2;
    p30 += v0 * w3;
    p40 += v0 * w4;
    p01 += v1 * w0;
    p11 += v1 * w1;
    p21 += v1 * w2;
    p31 += v1 * w3;
    p41 += v1 * w4;
    p02 += v2 * w0;
    p12 += v2 * w1;
    p22 += v2 * w2;
    p32 += v2 * w3;
    p42 += v2 * w4;
    p03 += v3 * w0;
    p13 += v3 * w1;
    p23 += v3 * w2;
    p33 += v3 * w3;
    p43 += v3 * w4;
    p04 += v4 * w0;
    p14 += v4 * w1;
    p24 += v4 * w2;
    p34 += v4 * w3;
    p44 += v4 * w4;
    p05 += v5 * w0;
    p15 += v5 * w1;
    p25 += v5 * w2;
    p35 += v5 * w3;
    p45 += v5 * w4;
    p06 += v6 * w0;
    p16 += v6 * w1;
    p26 += v6 * w2;
    p36 += v6 * w3;
    p46 += v6 * w4;
    p07 += v7 * w0;
    p17 += v7 * w1;
    p27 += v7 * w2;
    p37 += v7 * w3;
    p47 += v7 * w4;
  }

  // The bias comes last, as in conv1x1.wgsl. An array, so that the epilogue is compiled once.
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
    let b = vec4f(bias[min(block + i / 8u, params.out_blocks - 1u)]);
    store_pixel(block + i / 8u, row, col + i % 8u, reorder(p[i], lane) + b);
  }
}
