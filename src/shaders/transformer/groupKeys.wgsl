// Queries and keys of a group. MERGE x MERGE pixels are one key.
// Prelude: that of lib/groups, MERGE.

// Where a part (row and column) of a merged key lies in its window.
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

// Of shifted windows, those at the lower and right border hold pixels of opposite borders. What is
// subtracted from a score is 100 between such pixels.
fn border_part(group: vec2u, windows: vec2u, position: u32) -> u32 {
  let beyond = position / COLUMNS >= ROWS - SHIFT_Y && group.y + 1u == windows.y;
  let right = position % COLUMNS >= COLUMNS - SHIFT_X && group.x + 1u == windows.x;
  return select(0u, 2u, beyond) + select(0u, 1u, right);
}
