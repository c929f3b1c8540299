// Sizes of attention in windows of sorted rows, and the rows of its keys. The keys of a window are
// its own rows. With 3 spans, the rows of the windows before and after it follow; they wrap around.
// Divisions are done once per window, because software drivers divide one lane at a time.

struct Params {
  windows: u32, // windows in a round
  first: u32,       // the first window of this dispatch, counted through all rounds
  group_row: u32,
  window: u32, // w, rows in a window
  keys: u32, // keys per row: spans * w
  stride: u32,      // vectors of 4 keys in a row of weights
  blocks: u32, // vectors of 4 channels in a row
}

// The first rows of the three windows. The number of keys before a window is subtracted from its
// first row.
fn spans_of(window: u32) -> vec3u {
  let round = window / params.windows * params.windows;
  let own = window - round;
  let before = (own + params.windows - 1u) % params.windows;
  let behind = (own + 1u) % params.windows;
  let first = vec3u(window, round + before, round + behind) * params.window;
  return first - vec3u(0u, 1u, 2u) * params.window;
}

// The row of key k. Keys beyond the last one have the same row as the last one.
fn key_row(spans: vec3u, k: u32) -> u32 {
  let key = min(k, params.keys - 1u);
  let behind = select(spans.y, spans.z, key >= 2u * params.window);
  return key + select(spans.x, behind, key >= params.window);
}
