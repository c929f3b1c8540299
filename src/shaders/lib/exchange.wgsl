// For workgroups that compute all DEPTH blocks of channels of 8 x LANES pixels with LANES x DEPTH
// invocations. Invocation (l, b) has block b of the eight pixels of row l. Blocks exchange values
// through workgroup memory. Prelude: DEPTH, LANES (LANES * DEPTH at most 256).

const_assert DEPTH > 0u && LANES * DEPTH <= 256u;
const PIXELS = 8u * LANES;

var<workgroup> exchange: array<vec4f, PIXELS * DEPTH>;

// The sum over all rows of a block, valid in lane 0. Every invocation of the workgroup must call
// it.
fn sum_of_lanes(lane: u32, block: u32, own: vec4f) -> vec4f {
  var sum = own;
  workgroupBarrier();
  exchange[block * LANES + lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < LANES; i++) {
      sum += exchange[block * LANES + i];
    }
  }
  return sum;
}
