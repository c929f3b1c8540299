alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 36u;
const DEPTH = 36u;
const HEADS = 1u;
const TOKENS = 64u;
const KEY_BLOCKS = 16u;
const GROUPING = 0u;
const SIDE = 8u;
const FIRST = 72u;

// The values of each group, summed with its scores as weights (graph/transformerOp.ts, `groupMix`).
//   x      [..][H][W] vectors of 4 channels (Chw4c): values from channel FIRST on
//   scores [groups][HEADS][TOKENS][KEY_BLOCKS] vec4f
//   y      [ceil(CHANNELS / 4)][H][W]
// One workgroup of 64 computes 4 channels of one group; each invocation computes one pixel at a
// time. Grid: groups in x and y, z = block of y.
// Prelude: E, E4, CHANNELS, FIRST, DEPTH (channels of a head), HEADS, TOKENS, KEY_BLOCKS, GROUPING,
// SIDE.

// The pixels of a group, as graph/transformerOp.ts has them: windows (GROUPING 0), spread (1) or grid (2)
// of side SIDE over a map of width x height. Groups are numbered by the two axes of the dispatch.
// Prelude: GROUPING, SIDE.

fn group_pixel(group: vec2u, position: u32, width: u32, height: u32) -> u32 {
  if GROUPING == 2u {
    let columns = width / SIDE;
    return (position / columns * SIDE + group.y) * width + position % columns * SIDE + group.x;
  }
  let at = vec2u(position % SIDE, position / SIDE);
  if GROUPING == 1u {
    return (at.y * (height / SIDE) + group.y) * width + at.x * (width / SIDE) + group.x;
  }
  return (group.y * SIDE + at.y) * width + group.x * SIDE + at.x;
}

// The uniform of kernels that run over one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // first row of workgroups of this dispatch: large maps run in several dispatches
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> scores: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = vec2u(group.x, group.y + params.group_row);
  let number = place.y * groups.x + place.x;
  let plane = params.width * params.height;
  for (var i = lane; i < TOKENS; i += 64u) {
    var sum = vec4f(0.0);
    for (var l = 0u; l < 4u; l++) {
      let c = group.z * 4u + l;
      if c >= CHANNELS {
        continue;
      }
      let source = FIRST + c;
      let base = (source >> 2u) * plane;
      let row = ((number * HEADS + c / DEPTH) * TOKENS + i) * KEY_BLOCKS;
      for (var j = 0u; j < TOKENS; j++) {
        let pixel = group_pixel(place, j, params.width, params.height);
        sum[l] += scores[row + (j >> 2u)][j & 3u] * f32(x[base + pixel][source & 3u]);
      }
    }
    y[group.z * plane + group_pixel(place, i, params.width, params.height)] = E4(sum);
  }
}
