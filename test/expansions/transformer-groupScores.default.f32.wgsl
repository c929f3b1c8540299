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
const TABLE = true;

// Attention weights within groups of pixels (graph/transformerOp.ts, `groupScores`): for each query
// the softmax over the keys of q.k / sqrt(DEPTH) + T.
//   x      [..][H][W] vectors of 4 channels (Chw4c): channels 0 .. CHANNELS - 1 are queries, those up to
//          2 CHANNELS - 1 keys
//   table  [(2 SIDE - 1)^2][HEADS] f32, with TABLE
//   scores [groups][HEADS][TOKENS][KEY_BLOCKS] vec4f: one row per query, zeros after its last key
// One workgroup of 64 computes one head of one group; each invocation computes one query at a time.
// Grid: groups in x and y, z = head.
// Prelude: E, E4, CHANNELS, DEPTH (channels of a head), HEADS, TOKENS, KEY_BLOCKS, TABLE, GROUPING,
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
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> scores: array<vec4f>;

fn channel(c: u32, pixel: u32) -> f32 {
  return f32(x[(c >> 2u) * params.width * params.height + pixel][c & 3u]);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = vec2u(group.x, group.y + params.group_row);
  let number = place.y * groups.x + place.x;
  let first = group.z * DEPTH;
  for (var i = lane; i < TOKENS; i += 64u) {
    let query = group_pixel(place, i, params.width, params.height);
    let row = ((number * HEADS + group.z) * TOKENS + i) * KEY_BLOCKS;
    var most = -3.0e38;
    for (var jb = 0u; jb < KEY_BLOCKS; jb++) {
      var s = vec4f(-3.0e38);
      for (var l = 0u; l < 4u; l++) {
        let j = jb * 4u + l;
        if j < TOKENS {
          let key = group_pixel(place, j, params.width, params.height);
          var sum = 0.0;
          for (var c = first; c < first + DEPTH; c++) {
            sum += channel(c, query) * channel(CHANNELS + c, key);
          }
          s[l] = sum * inverseSqrt(f32(DEPTH));
          if TABLE {
            let dy = i / SIDE + SIDE - 1u - j / SIDE;
            let dx = i % SIDE + SIDE - 1u - j % SIDE;
            s[l] += table[(dy * (2u * SIDE - 1u) + dx) * HEADS + group.z];
          }
        }
      }
      scores[row + jb] = s;
      most = max(most, max(max(s.x, s.y), max(s.z, s.w)));
    }
    var sum = 0.0;
    for (var jb = 0u; jb < KEY_BLOCKS; jb++) {
      let e = exp(scores[row + jb] - most);
      scores[row + jb] = e;
      sum += dot(e, vec4f(1.0));
    }
    for (var jb = 0u; jb < KEY_BLOCKS; jb++) {
      scores[row + jb] /= sum;
    }
  }
}
