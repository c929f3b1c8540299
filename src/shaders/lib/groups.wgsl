// The pixels of a group, as graph/transformerOp.ts has them: windows (GROUPING 0), spread (1) or grid (2)
// of side SIDE over a map of width x height. Groups are numbered by the two axes of the dispatch.
// Prelude: GROUPING, SIDE.

fn group_pixel(group: vec2u, position: u32, width: u32, height: u32) -> u32 {
  if GROUPING == 2u {
    let columns = width / SIDE;
    return (position / columns * SIDE + group.y) * width + position % columns * SIDE + group.x;
  }
  let at = vec2u(position % SIDE, position / SIDE);
  if GROUPING == 1u {
    return (at.y * (height / SIDE) + group.y) * width + at.x * (width / SIDE) + group.x;
  }
  return (group.y * SIDE + at.y) * width + group.x * SIDE + at.x;
}
