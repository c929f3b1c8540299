// Declares a convolution's weights, and workgroup memory for weights and input pixels. The weights
// are 4 x 4 matrices [out_blocks][in_blocks][taps]. By default, each invocation loads the matrices
// itself, from a storage buffer. With UNIFORM, the matrices are in a uniform buffer. UNIFORM is the
// number of matrices that fit in it. With QUAD, each of the four lanes of a quad loads one column
// of a matrix, and the lanes exchange their columns. With SHARED, the workgroup copies the matrices
// to workgroup memory, CHUNK input blocks at a time. With HALO, the workgroup copies its input
// pixels to workgroup memory, one input block at a time. STAGED means SHARED or HALO. Column `c` of
// a matrix contains the weights of input channel `c` for four output channels, so the product of a
// matrix and a pixel is a sum over input channels. With QUAD, matrices are transposed, so column
// `o` contains the weights of output channel `o`.
// The prelude (code that is put before this shader) defines the types E4 and E4x4 and the constants
// QUAD, UNIFORM, WEIGHTS_BINDING, SHARED, CHUNK, HALO, BLOCKS, REACH, WIDTH, HEIGHT, STRIP, LINES
// and DOWN.

#if QUAD
  @group(0) @binding({WEIGHTS_BINDING}) var<storage, read> weights: array<E4>;

  // Returns the columns `lane`, `lane^1`, `lane^2` and `lane^3` of a matrix. Each lane of the quad
  // loads one column. All four lanes must request the same matrix. If `at` is beyond the last
  // matrix, the values are arbitrary. This happens only for blocks of output channels that the
  // layer does not have, and their results are not stored.
  fn load_matrix(at: u32, lane: u32) -> mat4x4f {
    let own = vec4f(weights[at * 4u + lane]);
    let below = quadSwapY(own);
    return mat4x4f(own, quadSwapX(own), below, quadSwapX(below));
  }

  // Reorders four output channels from their natural order to the order in which `load_matrix`
  // returns their columns. The same function also restores the natural order.
  fn reorder(v: vec4f, lane: u32) -> vec4f {
    let pairs = select(v, v.yxwz, (lane & 1u) != 0u);
    return select(pairs, pairs.zwxy, (lane & 2u) != 0u);
  }
#else
  #if UNIFORM
    @group(0) @binding({WEIGHTS_BINDING}) var<uniform> weights: array<E4x4, UNIFORM>;
  #else
    @group(0) @binding({WEIGHTS_BINDING}) var<storage, read> weights: array<E4x4>;
  #end
#end
#if SHARED
  const SHARED_MATRICES = BLOCKS * CHUNK * (2u * REACH + 1u) * (2u * REACH + 1u);
  var<workgroup> shared_weights: array<E4x4, SHARED_MATRICES>;
#end
#if HALO
  // Each invocation computes HALO_RIGHT columns and HALO_DOWN rows of pixels. The workgroup reads
  // the pixels of all its invocations and REACH more pixels on each side.
  #if DOWN
    const HALO_RIGHT = LINES;
    const HALO_DOWN = STRIP;
  #else
    const HALO_RIGHT = STRIP;
    const HALO_DOWN = LINES;
  #end
  const HALO_WIDTH = WIDTH * HALO_RIGHT + 2u * REACH;
  const HALO_PIXELS = HALO_WIDTH * (HEIGHT * HALO_DOWN + 2u * REACH);
  var<workgroup> halo: array<E4, HALO_PIXELS>;
#end
