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
