enable subgroups;
alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;

// Computes the same weighted sums as rowMix.wgsl. This version needs the feature `subgroups`. It is
// for devices on which loads from memory are slow. Four neighbouring invocations compute different
// rows but need the same keys, so each of them loads the values of one key and shares them with the
// others.
//
//   y[q] = sum_k p[q, k] * rows[k], with the keys k of q's window
//
// One invocation computes 16 channels of 4 rows without workgroup memory. A workgroup computes 64
// rows. In the grid, `x` selects 64 rows and one of `ceil(blocks / 4)` groups of 16 channels, and
// `y` selects the window. The prelude (code that is put before this shader) defines the types E and
// E4.

// Builds a matrix from four columns. Each invocation of a quad has loaded one of them. All four
// invocations must be active.
fn quad_columns(own: vec4f) -> mat4x4f {
  return mat4x4f(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  );
}

// Declares the uniform for attention within windows of sorted rows, and functions that find the row
// of a key. A row's keys are the rows of its own window. If attention spans three windows, the rows
// of the previous window follow, and then those of the next window. Within a round of clustering,
// windows wrap around: the first and last windows are neighbours. Division is slow on software
// drivers, which divide one SIMD lane at a time. Only `spans_of` divides, so each invocation calls
// it once and passes the result to `key_row`.

struct Params {
  windows: u32, // The number of windows in a round.
  first: u32,       // The first window of this dispatch, counted across all rounds.
  group_row: u32,
  window: u32, // The number of rows in a window, `w`.
  keys: u32, // The number of keys per row, `w` or `3 * w`.
  stride: u32,      // The number of vectors of 4 keys in a row of attention weights.
  blocks: u32, // The number of vectors of 4 channels in a row.
}

// Returns the offsets of the three windows that contain keys: `window` itself, the previous window
// and the next one. The row of key `k` is `k` plus the offset of the window that contains the key.
fn spans_of(window: u32) -> vec3u {
  let round = window / params.windows * params.windows;
  let own = window - round;
  let before = (own + params.windows - 1u) % params.windows;
  let behind = (own + 1u) % params.windows;
  let first = vec3u(window, round + before, round + behind) * params.window;
  return first - vec3u(0u, 1u, 2u) * params.window;
}

// Returns the row of key `k`. Keys beyond the last one use the row of the last key.
fn key_row(spans: vec3u, k: u32) -> u32 {
  let key = min(k, params.keys - 1u);
  let behind = select(spans.y, spans.z, key >= 2u * params.window);
  return key + select(spans.x, behind, key >= params.window);
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<vec4f>;
@group(0) @binding(2) var<storage, read> rows: array<E4>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;

// Returns the values of four keys for one block of four channels. Each column holds one key. Beyond
// the last block, the values are arbitrary, but `store` does not write the sums that are computed
// from them.
fn load_values(at: u32) -> mat4x4f {
  return quad_columns(vec4f(rows[at]));
}

fn store(inside: bool, row: u32, block: u32, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) {
  if !inside {
    return;
  }
  let at = row * params.blocks + block;
  y[at] = E4(v0);
  if block + 1u < params.blocks { y[at + 1u] = E4(v1); }
  if block + 2u < params.blocks { y[at + 2u] = E4(v2); }
  if block + 3u < params.blocks { y[at + 3u] = E4(v3); }
}

@compute @workgroup_size(16, 1, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = subgroup_lane & 3u;
  let window = params.first + group.y + params.group_row;
  let parts = (params.blocks + 3u) / 4u;
  let row = group.x / parts * 64u + local.x * 4u;
  let block = group.x % parts * 4u;
  let spans = spans_of(window);
  let last = params.window - 1u;
  let weights_at = group.y + params.group_row;
  let at0 = (weights_at * params.window + min(row, last)) * params.stride;
  let at1 = (weights_at * params.window + min(row + 1u, last)) * params.stride;
  let at2 = (weights_at * params.window + min(row + 2u, last)) * params.stride;
  let at3 = (weights_at * params.window + min(row + 3u, last)) * params.stride;
  var s0_0 = vec4f(0.0);
  var s0_1 = vec4f(0.0);
  var s0_2 = vec4f(0.0);
  var s0_3 = vec4f(0.0);
  var s1_0 = vec4f(0.0);
  var s1_1 = vec4f(0.0);
  var s1_2 = vec4f(0.0);
  var s1_3 = vec4f(0.0);
  var s2_0 = vec4f(0.0);
  var s2_1 = vec4f(0.0);
  var s2_2 = vec4f(0.0);
  var s2_3 = vec4f(0.0);
  var s3_0 = vec4f(0.0);
  var s3_1 = vec4f(0.0);
  var s3_2 = vec4f(0.0);
  var s3_3 = vec4f(0.0);
  for (var i = 0u; i < params.stride; i++) {
    let at = key_row(spans, i * 4u + lane) * params.blocks + block;
    let w0 = p[at0 + i];
    let w1 = p[at1 + i];
    let w2 = p[at2 + i];
    let w3 = p[at3 + i];
    let m0 = load_values(at);
    let m1 = load_values(at + 1u);
    let m2 = load_values(at + 2u);
    let m3 = load_values(at + 3u);
    s0_0 += m0 * w0;
    s0_1 += m0 * w1;
    s0_2 += m0 * w2;
    s0_3 += m0 * w3;
    s1_0 += m1 * w0;
    s1_1 += m1 * w1;
    s1_2 += m1 * w2;
    s1_3 += m1 * w3;
    s2_0 += m2 * w0;
    s2_1 += m2 * w1;
    s2_2 += m2 * w2;
    s2_3 += m2 * w3;
    s3_0 += m3 * w0;
    s3_1 += m3 * w1;
    s3_2 += m3 * w2;
    s3_3 += m3 * w3;
  }
  let to = window * params.window + row;
  store(row <= last, to, block, s0_0, s1_0, s2_0, s3_0);
  store(row + 1u <= last, to + 1u, block, s0_1, s1_1, s2_1, s3_1);
  store(row + 2u <= last, to + 2u, block, s0_2, s1_2, s2_2, s3_2);
  store(row + 3u <= last, to + 3u, block, s0_3, s1_3, s2_3, s3_3);
}
