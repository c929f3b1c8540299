// 1x1 convolution over a concatenation with bias and epilogue:
//   y = act1( act0( sum_i w[o,i] * x[i] + b[o] ) * factor + r )
// x is the concatenation of lib/parts.wgsl, r one of the five maps (may be absent): one of the parts,
// or a map bound behind them.
//
// Feature maps are Chw4c: [ceil(C/4)][H][W] vectors of 4 channels, absent channels zero.
//   weights [out_blocks][in_blocks] mat4x4: column c holds the weights of input channel c
//   bias    [out_blocks], then the slopes [out_blocks] of a PReLU
//   r, y    [out_blocks][H][W]
//
// One invocation computes 4 pixels of a row of one block of output channels;
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

fn store_pixel(block: u32, at: u32, inside: bool, sum: vec4f) {
  if !inside {
    return;
  }
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
  let row = (group.y + params.group_row) * 8u + local.y;
  let block = group.z;
  if row >= params.height || col >= params.width {
    return;
  }
  let plane = params.width * params.height;
  let first = row * params.width + col;
  // Columns beyond the right edge read the last pixel again and are not stored.
  let rest = params.width - 1u - col;
  let o1 = min(1u, rest);
  let o2 = min(2u, rest);
  let o3 = min(3u, rest);

  var p0 = vec4f(0.0);
  var p1 = vec4f(0.0);
  var p2 = vec4f(0.0);
  var p3 = vec4f(0.0);
  for (var i = 0u; i < params.in_blocks; i++) {
    let part = part_of(i);
    let base = block_within(part, i) * plane + first;
    let w = mat4x4f(weights[block * params.in_blocks + i]);
    p0 += w * load_map(part, base);
    p1 += w * load_map(part, base + o1);
    p2 += w * load_map(part, base + o2);
    p3 += w * load_map(part, base + o3);
  }

  let b = vec4f(bias[block]);
  let at = block * plane + first;
  store_pixel(block, at, true, p0 + b);
  store_pixel(block, at + 1u, rest >= 1u, p1 + b);
  store_pixel(block, at + 2u, rest >= 2u, p2 + b);
  store_pixel(block, at + 3u, rest >= 3u, p3 + b);
}
