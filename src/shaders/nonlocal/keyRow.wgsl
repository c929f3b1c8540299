// Returns the index of the row that serves as key `k` for a window. The keys are the window's own
// rows. If attention spans three windows, the rows of the previous window follow, and then those of
// the next window. The first and last windows of a round of clustering count as neighbours.
// `window` is an index into the windows of all rounds.
fn key_row(window: u32, k: u32) -> u32 {
  let round = window / params.windows;
  let own = window % params.windows;
  let span = k / params.window;
  var other = own;
  if span == 1u {
    other = (own + params.windows - 1u) % params.windows;
  } else if span == 2u {
    other = (own + 1u) % params.windows;
  }
  return (round * params.windows + other) * params.window + k % params.window;
}
