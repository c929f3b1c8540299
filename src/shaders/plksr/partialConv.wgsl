// A K x K convolution from the first CHANNELS channels to the same channels, with stride 1 and zero
// padding:
//   y[o] = sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i+ky-K/2, j+kx-K/2] + b[o]   for o < CHANNELS
//   y[o] = x[o]                                                            for all other channels
//   x, y [..][H][W] vectors of 4 channels (Chw4c)
//   weights [DENSE][DENSE][K * K] matrices in the layout of conv/weights.wgsl, bias [DENSE]
// A workgroup of 16 x 4 invocations computes a group of blocks at 16 x (4 * STRIP) pixels. It
// copies one block of `x` at a time to workgroup memory. Each invocation computes a column of STRIP
// pixels. For each column of the K x K weights, it slides a window of STRIP input pixels down the
// tile, so it can use each loaded pixel for up to STRIP output pixels. In the grid, each value of
// `z` below GROUPS selects a group of blocks to convolve. Each further value selects a block that
// is only copied. The prelude (code that is put before this shader) defines E, E4, E4x4, CHANNELS,
// DENSE (the number of blocks that contain the first CHANNELS channels), PER (the number of blocks
// in a full group), GROUPS, K and STRIP.

#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

const TILE_WIDTH = 15u + K;
const TILE_PIXELS = TILE_WIDTH * (4u * STRIP - 1u + K);
var<workgroup> tile: array<E4, TILE_PIXELS>;

// Stores one pixel of a convolved block. The last convolved block can also contain channels that
// are not convolved. They are copied from `x`.
fn store(block: u32, row: u32, col: u32, sum: vec4f) {
  if block >= DENSE || row >= params.height || col >= params.width {
    return;
  }
  let at = (block * params.height + row) * params.width + col;
  let dense = vec4u(0u, 1u, 2u, 3u) + 4u * block < vec4u(CHANNELS);
  y[at] = select(x[at], E4(sum), dense);
}

@compute @workgroup_size(16, 4, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let left = group.x * 16u;
  let top = (group.y + params.group_row) * 4u * STRIP;
  let col = left + local.x;
  let row = top + local.y * STRIP;
  if group.z >= GROUPS {
    let base = (DENSE + group.z - GROUPS) * params.height;
    for (var r = row; r < min(row + STRIP, params.height); r++) {
      if col < params.width {
        let at = (base + r) * params.width + col;
        y[at] = x[at];
      }
    }
    return;
  }
  let first = group.z * PER;
  // The last group can have fewer blocks than a full group. The kernel then computes the last block
  // several times, but stores its result only once.
  #for o in 0..PER
    let block{o} = min(first + {o}u, DENSE - 1u) * DENSE;
    #for s in 0..STRIP
      var sum{o}_{s} = vec4f(bias[min(first + {o}u, DENSE - 1u)]);
    #end
  #end
  for (var i = 0u; i < DENSE; i++) {
    workgroupBarrier();
    for (var t = lane; t < TILE_PIXELS; t += 64u) {
      // Rows above the map and columns left of it wrap to huge numbers, so the comparison below
      // fails.
      let r = top + t / TILE_WIDTH - K / 2u;
      let q = left + t % TILE_WIDTH - K / 2u;
      var v = E4();
      if r < params.height && q < params.width {
        v = x[(i * params.height + r) * params.width + q];
      }
      tile[t] = v;
    }
    workgroupBarrier();
    for (var kx = 0u; kx < K; kx++) {
      var at = local.y * STRIP * TILE_WIDTH + local.x + kx;
      var p0 = vec4f();
      #for s in 1..STRIP
        var p{s} = vec4f(tile[at]);
        at += TILE_WIDTH;
      #end
      for (var ky = 0u; ky < K; ky++) {
        #for s in 1..STRIP
          p{s-1} = p{s};
        #end
        p{STRIP-1} = vec4f(tile[at]);
        at += TILE_WIDTH;
        #for o in 0..PER
          let w{o} = mat4x4f(weights[(block{o} + i) * K * K + ky * K + kx]);
          #for s in 0..STRIP
            sum{o}_{s} += w{o} * p{s};
          #end
        #end
      }
    }
  }
  #for o in 0..PER
    #for s in 0..STRIP
      store(first + {o}u, row + {s}u, col, sum{o}_{s});
    #end
  #end
}
