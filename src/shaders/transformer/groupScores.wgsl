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

#import lib/groups
#import lib/map
#import transformer/groupKeys

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
