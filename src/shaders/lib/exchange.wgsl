// For workgroups that compute all DEPTH blocks of channels of 8 x TILE_ROWS pixels with TILE_ROWS x DEPTH
// invocations. Invocation (l, b) has block b of the eight pixels of row l. Blocks exchange values
// through workgroup memory. Prelude: DEPTH, TILE_ROWS (TILE_ROWS * DEPTH at most 256).

const_assert DEPTH > 0u && TILE_ROWS * DEPTH <= 256u;
const PIXELS = 8u * TILE_ROWS;

var<workgroup> exchange: array<vec4f, PIXELS * DEPTH>;

// The sum over all rows of a block, valid in lane 0. Every invocation of the workgroup must call
// it.
fn sum_of_lanes(lane: u32, block: u32, own: vec4f) -> vec4f {
  var sum = own;
  workgroupBarrier();
  exchange[block * TILE_ROWS + lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < TILE_ROWS; i++) {
      sum += exchange[block * TILE_ROWS + i];
    }
  }
  return sum;
}
