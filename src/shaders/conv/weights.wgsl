// How a convolution loads its weights, [out_blocks][in_blocks][taps] matrices of 4 x 4. Each
// invocation loads its own, the four lanes of a quad load together (QUAD), or the workgroup copies
// those of one input block to workgroup memory (SHARED). Column c of a matrix holds the taps of
// input channel c for the block's four output channels: M * v sums over input channels. With QUAD
// they are transposed: column r holds the taps of output channel r. Prelude: PARTS, QUAD, SHARED,
// BLOCKS, REACH.

#if QUAD
  @group(0) @binding(2) var<storage, read> weights: array<E4>;

  // Columns lane, lane^1, lane^2, lane^3 of a matrix; each lane of the quad loads one. All four
  // lanes must ask for the same matrix. Beyond the last matrix the values are arbitrary, and their
  // results are not stored.
  fn load_matrix(at: u32, lane: u32) -> mat4x4f {
    let own = vec4f(weights[at * 4u + lane]);
    let below = quadSwapY(own);
    return mat4x4f(own, quadSwapX(own), below, quadSwapX(below));
  }

  // Converts between channel order and the order of load_matrix. It is its own inverse.
  fn reorder(v: vec4f, lane: u32) -> vec4f {
    let pairs = select(v, v.yxwz, (lane & 1u) != 0u);
    return select(pairs, pairs.zwxy, (lane & 2u) != 0u);
  }
#else
  #if PARTS
    @group(0) @binding(6) var<storage, read> weights: array<E4x4>;
  #else
    @group(0) @binding(2) var<storage, read> weights: array<E4x4>;
  #end
#end
#if SHARED
  const SHARED_MATRICES = BLOCKS * (2u * REACH + 1u) * (2u * REACH + 1u);
  var<workgroup> shared_weights: array<E4x4, SHARED_MATRICES>;
#end
