alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 36u;
const DEPTH = 36u;
const HEADS = 1u;
const PER_PIXEL = 36u;
const TOKENS = 64u;
const KEYS = 64u;
const MERGE = 1u;
const GROUPING = 0u;
const ROWS = 8u;
const COLUMNS = 8u;
const MOVED = false;
const SHIFT_X = 0u;
const SHIFT_Y = 0u;
const MULTIPLE = 1u;
const QUERY = 0u;
const KEY = 36u;
const KEY_BLOCKS = 16u;
const TABLE = true;

// Computes attention weights within groups of pixels (`groupScores` in graph/transformerOp.ts). For
// each query, the weights are a softmax over the keys:
//   softmax_k( q.k / sqrt(DEPTH) + T )
//   q, k   [..][H][W] vectors of 4 channels (Chw4c): queries from channel QUERY on, keys from
//          KEY on
//   table  [rows][HEADS] f32, with TABLE: the position bias T; otherwise, T is zero
//   scores [groups][HEADS][TOKENS][KEY_BLOCKS] vec4f: one row per query, with zeros after the last
//          key
// One workgroup of 64 invocations computes one head of one group. Each invocation computes one
// query at a time. In the grid, `x` and `y` select the group, and `z` selects the head. The prelude
// (code that is put before this shader) defines E, E4, QUERY, KEY, DEPTH (the number of channels
// per head), PER_PIXEL (the number of key channels per pixel), HEADS, TOKENS, KEYS, KEY_BLOCKS,
// TABLE and the constants of transformer/groupKeys.

// Finds the pixels of a group in a map of `width` x `height` pixels. GROUPING is the kind of group:
// 0 for windows, 1 for spread and 2 for grid, as defined in graph/transformerOp.ts. Kernels pass
// their workgroup id as `group`, with `params.group_row` added to `y`.
// The prelude (code that is put before this shader) defines GROUPING, ROWS, COLUMNS, MOVED,
// SHIFT_X, SHIFT_Y and MULTIPLE. ROWS and COLUMNS are the size of a group or, for a grid, the
// distance between the pixels of a group. MOVED is true if windows are shifted or can extend past
// the map. The map is padded with zeros, so that its width and height are multiples of MULTIPLE.

// Represents a pixel beyond the map.
const ABSENT = 0xffffffffu;

// Returns the width and height of the padded map, counted in windows.
fn windows_in(width: u32, height: u32) -> vec2u {
  return (vec2u(width, height) + MULTIPLE - 1u) / MULTIPLE * MULTIPLE / vec2u(COLUMNS, ROWS);
}

fn group_pixel(group: vec2u, position: u32, width: u32, height: u32) -> u32 {
  if GROUPING == 2u {
    let columns = width / COLUMNS;
    return (position / columns * ROWS + group.y) * width + position % columns * COLUMNS + group.x;
  }
  let at = vec2u(position % COLUMNS, position / COLUMNS);
  if GROUPING == 1u {
    return (at.y * (height / ROWS) + group.y) * width + at.x * (width / COLUMNS) + group.x;
  }
  let rolled = group * vec2u(COLUMNS, ROWS) + at;
  return rolled.y * width + rolled.x;
}

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

// Functions for the queries and keys of a group. Each key combines channels from MERGE x MERGE
// pixels.
// The prelude (code that is put before this shader) defines MERGE and the constants of lib/groups.

// Returns the position, within the window, of one of the pixels that a key combines. `part` is the
// number of this pixel, counted row by row within the key.
fn key_position(key: u32, part: u32) -> u32 {
  let across = COLUMNS / MERGE;
  return (key / across * MERGE + part / MERGE) * COLUMNS + key % across * MERGE + part % MERGE;
}

fn table_row(query: u32, key: u32) -> u32 {
  let across = COLUMNS / MERGE;
  let dy = query / COLUMNS / MERGE + ROWS / MERGE - 1u - key / across;
  let dx = query % COLUMNS / MERGE + across - 1u - key % across;
  return dy * (2u * across - 1u) + dx;
}

// If windows are shifted, those at the lower and right borders of the map also contain pixels from
// the opposite borders. Such a window has up to four parts, each with pixels from a different
// area of the map. This function returns the number of the part that contains `position`. If a
// query and a key are in different parts, 100 is subtracted from their attention score.
fn border_part(group: vec2u, windows: vec2u, position: u32) -> u32 {
  let beyond = position / COLUMNS >= ROWS - SHIFT_Y && group.y + 1u == windows.y;
  let right = position % COLUMNS >= COLUMNS - SHIFT_X && group.x + 1u == windows.x;
  return select(0u, 2u, beyond) + select(0u, 1u, right);
}

@group(0) @binding(1) var<storage, read> q: array<E4>;
@group(0) @binding(2) var<storage, read> k: array<E4>;
@group(0) @binding(3) var<storage, read> table: array<f32>;
@group(0) @binding(4) var<storage, read_write> scores: array<vec4f>;

fn query_channel(c: u32, pixel: u32) -> f32 {
  return f32(q[(c >> 2u) * params.width * params.height + pixel][c & 3u]);
}

fn key_channel(c: u32, pixel: u32) -> f32 {
  return f32(k[(c >> 2u) * params.width * params.height + pixel][c & 3u]);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = vec2u(group.x, group.y + params.group_row);
  let number = place.y * groups.x + place.x;
  let windows = windows_in(params.width, params.height);
  let first = group.z * DEPTH;
  for (var i = lane; i < TOKENS; i += 64u) {
    let query = group_pixel(place, i, params.width, params.height);
    let own = border_part(place, windows, i);
    let row = ((number * HEADS + group.z) * TOKENS + i) * KEY_BLOCKS;
    var most = -3.0e38;
    for (var jb = 0u; jb < KEY_BLOCKS; jb++) {
      var s = vec4f(-3.0e38);
      for (var l = 0u; l < 4u; l++) {
        let j = jb * 4u + l;
        if j < KEYS {
          var sum = 0.0;
          for (var c = first; c < first + DEPTH; c++) {
            let at = key_position(j, c / PER_PIXEL);
            let key = group_pixel(place, at, params.width, params.height);
            if query != ABSENT && key != ABSENT {
              sum += query_channel(QUERY + c, query) * key_channel(KEY + c % PER_PIXEL, key);
            }
          }
          s[l] = sum * inverseSqrt(f32(DEPTH));
          if TABLE {
            s[l] += table[table_row(i, j) * HEADS + group.z];
          }
          if own != border_part(place, windows, key_position(j, 0u)) {
            s[l] -= 100.0;
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
