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
