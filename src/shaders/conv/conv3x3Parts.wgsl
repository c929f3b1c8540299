// 3x3 convolution over a concatenation, stride 1, zero padding, with bias and epilogue:
//   y = act1( act0( sum_{i,ky,kx} w[o,i,ky,kx] * x[i, y+ky-1, x+kx-1] + b[o] ) * factor + r )
// x is the concatenation of lib/parts.wgsl, r one of the five maps (may be absent): one of the parts,
// as in a dense block, or a map bound behind them.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, absent channels zero.
//   weights [out_blocks][in_blocks][9] mat4x4: column c holds the taps of input channel c for the
//           block's four output channels, so that M * v sums over input channels
//   bias    [out_blocks], then the slopes [out_blocks] of a PReLU
//   r, y    [out_blocks][H][W]
//
// One invocation computes a 4 x 2 rectangle of pixels (x by y) of one block of output channels;
// workgroup 8 x 8 x 1; grid z = output block, so weights are uniform across a workgroup.
// Channels, parts and epilogue are uniforms, so that all layers share one pipeline.
// Prelude: E, E4, E4x4.

#import lib/epilogue
#import conv/parts

struct Params {
  width: u32,
  height: u32,
  group_row: u32,   // first row of workgroups of this dispatch: large layers run in pieces
  in_blocks: u32,   // of all parts together
  epilogue: u32,    // act0 | act1 << 4 | (r present) << 9 | (index of r among the maps) << 10
  slope0: f32,
  slope1: f32,
  factor: f32,
  out_blocks: u32,
  ends01: u32,      // blocks up to the end of the parts 0 | 1 << 16; in_blocks for absent parts
  ends23: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(6) var<storage, read> weights: array<E4x4>;
@group(0) @binding(7) var<storage, read> bias: array<E4>;
@group(0) @binding(8) var<storage, read_write> y: array<E4>;

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
  if (params.epilogue & 512u) != 0u {
    v = v * params.factor + load_map((params.epilogue >> 10u) & 7u, at);
  }
  y[at] = E4(activate((params.epilogue >> 4u) & 15u, params.slope1, v));
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = (group.x * 8u + local.x) * 4u;
  let row = ((group.y + params.group_row) * 8u + local.y) * 2u;
  let block = group.z;
  if row >= params.height || col >= params.width {
    return;
  }
  let last = params.width - 1u;
  let plane = params.width * params.height;

  let b = vec4f(bias[block]);
  var u0 = b;
  var u1 = b;
  var u2 = b;
  var u3 = b;
  var l0 = b;
  var l1 = b;
  var l2 = b;
  var l3 = b;

  for (var i = 0u; i < params.in_blocks; i++) {
    let part = part_of(i);
    let base = block_within(part, i) * plane;
    let taps = (block * params.in_blocks + i) * 9u;
    // Four input rows; row k serves the upper output row as tap row k and the lower as k - 1.
    for (var k = 0u; k < 4u; k++) {
      // Pixels outside are read at the border and dropped, so that one branch chooses the map.
      let inside = row + k >= 1u && row + k <= params.height;
      let start = base + min(max(row + k, 1u) - 1u, params.height - 1u) * params.width;
      let at0 = start + max(col, 1u) - 1u;
      let at1 = start + col;
      let at2 = start + min(col + 1u, last);
      let at3 = start + min(col + 2u, last);
      let at4 = start + min(col + 3u, last);
      let at5 = start + min(col + 4u, last);
      var v0: vec4f;
      var v1: vec4f;
      var v2: vec4f;
      var v3: vec4f;
      var v4: vec4f;
      var v5: vec4f;
      switch part {
        case 1u: {
          v0 = vec4f(x1[at0]);
          v1 = vec4f(x1[at1]);
          v2 = vec4f(x1[at2]);
          v3 = vec4f(x1[at3]);
          v4 = vec4f(x1[at4]);
          v5 = vec4f(x1[at5]);
        }
        case 2u: {
          v0 = vec4f(x2[at0]);
          v1 = vec4f(x2[at1]);
          v2 = vec4f(x2[at2]);
          v3 = vec4f(x2[at3]);
          v4 = vec4f(x2[at4]);
          v5 = vec4f(x2[at5]);
        }
        case 3u: {
          v0 = vec4f(x3[at0]);
          v1 = vec4f(x3[at1]);
          v2 = vec4f(x3[at2]);
          v3 = vec4f(x3[at3]);
          v4 = vec4f(x3[at4]);
          v5 = vec4f(x3[at5]);
        }
        case 4u: {
          v0 = vec4f(x4[at0]);
          v1 = vec4f(x4[at1]);
          v2 = vec4f(x4[at2]);
          v3 = vec4f(x4[at3]);
          v4 = vec4f(x4[at4]);
          v5 = vec4f(x4[at5]);
        }
        default: {
          v0 = vec4f(x0[at0]);
          v1 = vec4f(x0[at1]);
          v2 = vec4f(x0[at2]);
          v3 = vec4f(x0[at3]);
          v4 = vec4f(x0[at4]);
          v5 = vec4f(x0[at5]);
        }
      }
      v0 = select(vec4f(0.0), v0, inside && col >= 1u);
      v1 = select(vec4f(0.0), v1, inside);
      v2 = select(vec4f(0.0), v2, inside && col + 1u <= last);
      v3 = select(vec4f(0.0), v3, inside && col + 2u <= last);
      v4 = select(vec4f(0.0), v4, inside && col + 3u <= last);
      v5 = select(vec4f(0.0), v5, inside && col + 4u <= last);
      if k < 3u {
        let w0 = mat4x4f(weights[taps + k * 3u]);
        let w1 = mat4x4f(weights[taps + k * 3u + 1u]);
        let w2 = mat4x4f(weights[taps + k * 3u + 2u]);
        u0 += w0 * v0 + w1 * v1 + w2 * v2;
        u1 += w0 * v1 + w1 * v2 + w2 * v3;
        u2 += w0 * v2 + w1 * v3 + w2 * v4;
        u3 += w0 * v3 + w1 * v4 + w2 * v5;
      }
      if k > 0u {
        let w0 = mat4x4f(weights[taps + k * 3u - 3u]);
        let w1 = mat4x4f(weights[taps + k * 3u - 2u]);
        let w2 = mat4x4f(weights[taps + k * 3u - 1u]);
        l0 += w0 * v0 + w1 * v1 + w2 * v2;
        l1 += w0 * v1 + w1 * v2 + w2 * v3;
        l2 += w0 * v2 + w1 * v3 + w2 * v4;
        l3 += w0 * v3 + w1 * v4 + w2 * v5;
      }
    }
  }

  store_pixel(block, row, col, u0);
  store_pixel(block, row, col + 1u, u1);
  store_pixel(block, row, col + 2u, u2);
  store_pixel(block, row, col + 3u, u3);
  store_pixel(block, row + 1u, col, l0);
  store_pixel(block, row + 1u, col + 1u, l1);
  store_pixel(block, row + 1u, col + 2u, l2);
  store_pixel(block, row + 1u, col + 3u, l3);
}
