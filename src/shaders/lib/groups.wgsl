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
  #if MOVED
    let size = windows_in(width, height) * vec2u(COLUMNS, ROWS);
    let pixel = (rolled + vec2u(SHIFT_X, SHIFT_Y)) % size;
    return select(ABSENT, pixel.y * width + pixel.x, pixel.x < width && pixel.y < height);
  #else
    return rolled.y * width + rolled.x;
  #end
}
