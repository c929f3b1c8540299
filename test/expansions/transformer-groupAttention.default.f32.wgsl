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
const FIRST = 72u;
const BLOCKS = 9u;
const CHUNK = 32u;
const TABLE = true;
const ALIGNED = true;
const MERGED = false;

// Attention within groups of pixels. This kernel combines the ops `groupScores` and `groupMix` from
// graph/transformerOp.ts:
//   y[i] = sum_j softmax_j( q[i].k[j] / sqrt(DEPTH) + T ) v[j]
//   q, kv [..][H][W] vectors of 4 channels (Chw4c): queries from channel QUERY on, keys from KEY
//         on, values from FIRST on
//   table [rows][HEADS] f32, with TABLE: the position bias T; otherwise, T is zero
//   y     [ceil(CHANNELS / 4)][H][W]
// One workgroup of 64 invocations computes 64 queries of one head of one group, with one query per
// invocation. Keys and values are copied to workgroup memory, CHUNK at a time. No score is stored.
// Instead, the softmax is computed relative to the largest score so far, and its sums are rescaled
// whenever a larger score appears. A workgroup's `x` and `y` select the group. Its `z` is
// `head + HEADS * part`, where `part` selects the 64 queries from `64 * part` on. The prelude (code
// that is put before this shader) defines E, E4, CHANNELS, QUERY, KEY, FIRST, DEPTH (the number of
// channels per head), BLOCKS (the number of blocks per head), HEADS, PER_PIXEL (the number of key
// channels per pixel), TOKENS, KEYS, CHUNK, TABLE, ALIGNED (each head starts at a vector boundary),
// MERGED (MERGE is not 1) and the constants of transformer/groupKeys.

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
@group(0) @binding(2) var<storage, read> kv: array<E4>;
@group(0) @binding(3) var<storage, read> table: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

var<workgroup> keys: array<vec4f, CHUNK * BLOCKS>;
var<workgroup> values: array<vec4f, CHUNK * BLOCKS>;

// Returns `v` with zeros in the lanes beyond the head's channels. `v` is block `b` of the head.
fn present(b: u32, v: vec4f) -> vec4f {
  return select(vec4f(0.0), v, vec4u(0u, 1u, 2u, 3u) + 4u * b < vec4u(DEPTH));
}

// Returns four consecutive lanes of the vectors `a` and `b`, starting at lane `lane` of `a`.
fn lanes(lane: u32, a: vec4f, b: vec4f) -> vec4f {
  if lane == 0u {
    return a;
  }
  if lane == 1u {
    return vec4f(a.yzw, b.x);
  }
  if lane == 2u {
    return vec4f(a.zw, b.xy);
  }
  return vec4f(a.w, b.xyz);
}

fn query_vector(c: u32, pixel: u32) -> vec4f {
  let plane = params.width * params.height;
  let at = (c >> 2u) * plane + pixel;
  return vec4f(q[at]);
}

// Returns the channels `c` to `c + 3` of a key or a value. `first` is KEY for keys and FIRST for
// values.
fn key_vector(first: u32, c: u32, place: vec2u, key: u32) -> vec4f {
  let plane = params.width * params.height;
  let pixel = group_pixel(place, key, params.width, params.height);
  if pixel == ABSENT {
    return vec4f(0.0);
  }
  let at = ((first + c) >> 2u) * plane + pixel;
  return vec4f(kv[at]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = vec2u(group.x, group.y + params.group_row);
  let windows = windows_in(params.width, params.height);
  let head = group.z % HEADS;
  let c = head * DEPTH;
  let i = group.z / HEADS * 64u + lane;
  var pixel = ABSENT;
  if i < TOKENS {
    pixel = group_pixel(place, i, params.width, params.height);
  }
  let own = border_part(place, windows, i);
  var q0 = vec4f(0.0);
  var o0 = vec4f(0.0);
  var q1 = vec4f(0.0);
  var o1 = vec4f(0.0);
  var q2 = vec4f(0.0);
  var o2 = vec4f(0.0);
  var q3 = vec4f(0.0);
  var o3 = vec4f(0.0);
  var q4 = vec4f(0.0);
  var o4 = vec4f(0.0);
  var q5 = vec4f(0.0);
  var o5 = vec4f(0.0);
  var q6 = vec4f(0.0);
  var o6 = vec4f(0.0);
  var q7 = vec4f(0.0);
  var o7 = vec4f(0.0);
  var q8 = vec4f(0.0);
  var o8 = vec4f(0.0);
  if pixel != ABSENT {
    q0 = present(0u, query_vector(QUERY + c + 4u * 0u, pixel)) * inverseSqrt(f32(DEPTH));
    q1 = present(1u, query_vector(QUERY + c + 4u * 1u, pixel)) * inverseSqrt(f32(DEPTH));
    q2 = present(2u, query_vector(QUERY + c + 4u * 2u, pixel)) * inverseSqrt(f32(DEPTH));
    q3 = present(3u, query_vector(QUERY + c + 4u * 3u, pixel)) * inverseSqrt(f32(DEPTH));
    q4 = present(4u, query_vector(QUERY + c + 4u * 4u, pixel)) * inverseSqrt(f32(DEPTH));
    q5 = present(5u, query_vector(QUERY + c + 4u * 5u, pixel)) * inverseSqrt(f32(DEPTH));
    q6 = present(6u, query_vector(QUERY + c + 4u * 6u, pixel)) * inverseSqrt(f32(DEPTH));
    q7 = present(7u, query_vector(QUERY + c + 4u * 7u, pixel)) * inverseSqrt(f32(DEPTH));
    q8 = present(8u, query_vector(QUERY + c + 4u * 8u, pixel)) * inverseSqrt(f32(DEPTH));
  }
  var most = -3.0e38;
  var total = 0.0;
  for (var start = 0u; start < KEYS; start += CHUNK) {
    workgroupBarrier();
    for (var n = lane; n < CHUNK * BLOCKS; n += 64u) {
      let key = start + n / BLOCKS;
      let b = n % BLOCKS;
      if key < KEYS {
        keys[n] = present(b, key_vector(KEY, c + 4u * b, place, key));
        values[n] = present(b, key_vector(FIRST, c + 4u * b, place, key));
      }
    }
    workgroupBarrier();
    let count = min(CHUNK, KEYS - start);
    for (var j = 0u; j < count; j++) {
      let key = start + j;
      var s = 0.0;
      s += dot(q0, keys[j * BLOCKS + 0u]);
      s += dot(q1, keys[j * BLOCKS + 1u]);
      s += dot(q2, keys[j * BLOCKS + 2u]);
      s += dot(q3, keys[j * BLOCKS + 3u]);
      s += dot(q4, keys[j * BLOCKS + 4u]);
      s += dot(q5, keys[j * BLOCKS + 5u]);
      s += dot(q6, keys[j * BLOCKS + 6u]);
      s += dot(q7, keys[j * BLOCKS + 7u]);
      s += dot(q8, keys[j * BLOCKS + 8u]);
      if TABLE {
        s += table[table_row(min(i, TOKENS - 1u), key) * HEADS + head];
      }
      if s > most {
        let factor = exp(most - s);
        total *= factor;
        o0 *= factor;
        o1 *= factor;
        o2 *= factor;
        o3 *= factor;
        o4 *= factor;
        o5 *= factor;
        o6 *= factor;
        o7 *= factor;
        o8 *= factor;
        most = s;
      }
      let e = exp(s - most);
      total += e;
      o0 += e * values[j * BLOCKS + 0u];
      o1 += e * values[j * BLOCKS + 1u];
      o2 += e * values[j * BLOCKS + 2u];
      o3 += e * values[j * BLOCKS + 3u];
      o4 += e * values[j * BLOCKS + 4u];
      o5 += e * values[j * BLOCKS + 5u];
      o6 += e * values[j * BLOCKS + 6u];
      o7 += e * values[j * BLOCKS + 7u];
      o8 += e * values[j * BLOCKS + 8u];
    }
  }
  if pixel == ABSENT {
    return;
  }
  let plane = params.width * params.height;
  y[((c >> 2u) + 0u) * plane + pixel] = E4(o0 / total);
  y[((c >> 2u) + 1u) * plane + pixel] = E4(o1 / total);
  y[((c >> 2u) + 2u) * plane + pixel] = E4(o2 / total);
  y[((c >> 2u) + 3u) * plane + pixel] = E4(o3 / total);
  y[((c >> 2u) + 4u) * plane + pixel] = E4(o4 / total);
  y[((c >> 2u) + 5u) * plane + pixel] = E4(o5 / total);
  y[((c >> 2u) + 6u) * plane + pixel] = E4(o6 / total);
  y[((c >> 2u) + 7u) * plane + pixel] = E4(o7 / total);
  y[((c >> 2u) + 8u) * plane + pixel] = E4(o8 / total);
}
