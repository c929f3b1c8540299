// Loads 4 x 4 matrices in the layout of conv/weights.wgsl, for kernels whose invocations multiply
// each matrix by several pixels. With QUAD, the four lanes of a subgroup quad load a matrix
// together: each lane loads one column. All four lanes must therefore request the same matrix.
// The prelude (code that is put before this shader) defines QUAD and WEIGHTS_BINDING.

#if QUAD
  @group(0) @binding({WEIGHTS_BINDING}) var<storage, read> weights: array<E4>;

  fn matrix(at: u32, lane: u32) -> mat4x4f {
    let own = vec4f(weights[at * 4u + lane]);
    let below = quadSwapY(own);
    return mat4x4f(own, quadSwapX(own), below, quadSwapX(below));
  }

  fn times(m: mat4x4f, v: vec4f) -> vec4f {
    return v * m;
  }

  // Puts the components of `v` in channel order. `v` is a result of `times`, or a sum of such
  // results. Component `k` of `v` belongs to channel `lane^k`, because `matrix` returns the columns
  // in this order.
  fn ordered(v: vec4f, lane: u32) -> vec4f {
    let pairs = select(v, v.yxwz, (lane & 1u) != 0u);
    return select(pairs, pairs.zwxy, (lane & 2u) != 0u);
  }
#else
  @group(0) @binding({WEIGHTS_BINDING}) var<storage, read> weights: array<E4x4>;

  fn matrix(at: u32, lane: u32) -> mat4x4f {
    return mat4x4f(weights[at]);
  }

  fn times(m: mat4x4f, v: vec4f) -> vec4f {
    return m * v;
  }

  fn ordered(v: vec4f, lane: u32) -> vec4f {
    return v;
  }
#end
