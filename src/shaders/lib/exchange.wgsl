// Code shared by kernels in which each workgroup computes a tile of TILE_COLUMNS x 8 pixels with
// all DEPTH blocks of channels. A workgroup has TILE_COLUMNS x DEPTH invocations. Invocation
// `(l, b)` computes block `b` of the eight pixels in column `l`. Invocations exchange values
// through workgroup memory.
// The prelude (code that is put before this shader) defines DEPTH and TILE_COLUMNS. Their product
// is at most 256.

const_assert DEPTH > 0u && TILE_COLUMNS * DEPTH <= 256u;
const PIXELS = 8u * TILE_COLUMNS;

var<workgroup> exchange: array<vec4f, PIXELS * DEPTH>;

// Adds up the argument `own` over all columns of the tile, separately for each block. Only the
// invocations in column 0 (`lane` 0) get the sum. Every invocation of the workgroup must call this
// function.
fn sum_of_lanes(lane: u32, block: u32, own: vec4f) -> vec4f {
  var sum = own;
  workgroupBarrier();
  exchange[block * TILE_COLUMNS + lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < TILE_COLUMNS; i++) {
      sum += exchange[block * TILE_COLUMNS + i];
    }
  }
  return sum;
}
