// Defines the uniform for attention within windows of sorted rows, and finds the row of a key. A
// window's keys are its own rows. With 3 spans, the rows of the window before it and of the window
// after it follow. The first and last windows of a round count as neighbours. Divisions run only
// once per window, because software drivers divide one lane at a time.

struct Params {
  windows: u32, // The number of windows in a round.
  first: u32,       // The first window of this dispatch, counted across all rounds.
  group_row: u32,
  window: u32, // The number of rows in a window, `w`.
  keys: u32, // The number of keys per row, `spans * w`.
  stride: u32,      // The number of vectors of 4 keys in a row of weights.
  blocks: u32, // The number of vectors of 4 channels in a row.
}

// Returns the first row of each of the three windows, minus the number of keys before that window.
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
