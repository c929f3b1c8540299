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
const FIRST = 72u;
const KEY_BLOCKS = 16u;

// Computes, for each pixel, the sum of its group's values, weighted by the pixel's scores
// (`groupMix` in graph/transformerOp.ts).
//   x      [..][H][W] vectors of 4 channels (Chw4c): values from channel FIRST on
//   scores [groups][HEADS][TOKENS][KEY_BLOCKS] vec4f
//   y      [ceil(CHANNELS / 4)][H][W]
// One workgroup of 64 invocations computes 4 channels of one group. Each invocation computes one
// pixel at a time. In the grid, `x` and `y` select the group, and `z` selects the output block. The
// prelude (code that is put before this shader) defines E, E4, CHANNELS, FIRST, DEPTH (the number
// of channels per head), PER_PIXEL (the number of value channels per pixel of `x`), HEADS, TOKENS,
// KEYS, KEY_BLOCKS and the constants that transformer/groupKeys uses.

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
    let to = group_pixel(place, i, params.width, params.height);
    if to == ABSENT {
      continue;
    }
    var sum = vec4f(0.0);
    for (var l = 0u; l < 4u; l++) {
      let c = group.z * 4u + l;
      if c >= CHANNELS {
        continue;
      }
      let source = FIRST + c % PER_PIXEL;
      let base = (source >> 2u) * plane;
      let row = ((number * HEADS + c / DEPTH) * TOKENS + i) * KEY_BLOCKS;
      for (var j = 0u; j < KEYS; j++) {
        let at = key_position(j, c / PER_PIXEL);
        let pixel = group_pixel(place, at, params.width, params.height);
        if pixel != ABSENT {
          sum[l] += scores[row + (j >> 2u)][j & 3u] * f32(x[base + pixel][source & 3u]);
        }
      }
    }
    y[group.z * plane + to] = E4(sum);
  }
}
