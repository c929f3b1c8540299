// Sizes of attention in windows of sorted rows, and the rows of its keys: those of the window itself,
// then, with 3 spans, those of the window before and of the one behind it, in a circle. Divisions are
// made once for a window: software drivers take them lane by lane.

struct Params {
  windows: u32,     // of a round
  first: u32,       // the first window of this dispatch, counted through all rounds
  group_row: u32,
  window: u32,      // rows of a window: w
  keys: u32,        // of a row: spans * w
  stride: u32,      // vectors of 4 keys in a row of weights
  blocks: u32,      // vectors of 4 channels in a row
}

// The first rows of the three windows, the second and third less the keys before theirs.
fn spans_of(window: u32) -> vec3u {
  let round = window / params.windows * params.windows;
  let own = window - round;
  let before = (own + params.windows - 1u) % params.windows;
  let behind = (own + 1u) % params.windows;
  let first = vec3u(window, round + before, round + behind) * params.window;
  return first - vec3u(0u, 1u, 2u) * params.window;
}

// The row of key k; of the last one beyond it.
fn key_row(spans: vec3u, k: u32) -> u32 {
  let key = min(k, params.keys - 1u);
  let behind = select(spans.y, spans.z, key >= 2u * params.window);
  return key + select(spans.x, behind, key >= params.window);
}
