alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 16u;
const DENSE = 4u;
const PER = 4u;
const GROUPS = 1u;
const K = 17u;
const STRIP = 4u;

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

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

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
  let block0 = min(first + 0u, DENSE - 1u) * DENSE;
  var sum0_0 = vec4f(bias[min(first + 0u, DENSE - 1u)]);
  var sum0_1 = vec4f(bias[min(first + 0u, DENSE - 1u)]);
  var sum0_2 = vec4f(bias[min(first + 0u, DENSE - 1u)]);
  var sum0_3 = vec4f(bias[min(first + 0u, DENSE - 1u)]);
  let block1 = min(first + 1u, DENSE - 1u) * DENSE;
  var sum1_0 = vec4f(bias[min(first + 1u, DENSE - 1u)]);
  var sum1_1 = vec4f(bias[min(first + 1u, DENSE - 1u)]);
  var sum1_2 = vec4f(bias[min(first + 1u, DENSE - 1u)]);
  var sum1_3 = vec4f(bias[min(first + 1u, DENSE - 1u)]);
  let block2 = min(first + 2u, DENSE - 1u) * DENSE;
  var sum2_0 = vec4f(bias[min(first + 2u, DENSE - 1u)]);
  var sum2_1 = vec4f(bias[min(first + 2u, DENSE - 1u)]);
  var sum2_2 = vec4f(bias[min(first + 2u, DENSE - 1u)]);
  var sum2_3 = vec4f(bias[min(first + 2u, DENSE - 1u)]);
  let block3 = min(first + 3u, DENSE - 1u) * DENSE;
  var sum3_0 = vec4f(bias[min(first + 3u, DENSE - 1u)]);
  var sum3_1 = vec4f(bias[min(first + 3u, DENSE - 1u)]);
  var sum3_2 = vec4f(bias[min(first + 3u, DENSE - 1u)]);
  var sum3_3 = vec4f(bias[min(first + 3u, DENSE - 1u)]);
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
      var p1 = vec4f(tile[at]);
      at += TILE_WIDTH;
      var p2 = vec4f(tile[at]);
      at += TILE_WIDTH;
      var p3 = vec4f(tile[at]);
      at += TILE_WIDTH;
      for (var ky = 0u; ky < K; ky++) {
        p0 = p1;
        p1 = p2;
        p2 = p3;
        p3 = vec4f(tile[at]);
        at += TILE_WIDTH;
        let w0 = mat4x4f(weights[(block0 + i) * K * K + ky * K + kx]);
        sum0_0 += w0 * p0;
        sum0_1 += w0 * p1;
        sum0_2 += w0 * p2;
        sum0_3 += w0 * p3;
        let w1 = mat4x4f(weights[(block1 + i) * K * K + ky * K + kx]);
        sum1_0 += w1 * p0;
        sum1_1 += w1 * p1;
        sum1_2 += w1 * p2;
        sum1_3 += w1 * p3;
        let w2 = mat4x4f(weights[(block2 + i) * K * K + ky * K + kx]);
        sum2_0 += w2 * p0;
        sum2_1 += w2 * p1;
        sum2_2 += w2 * p2;
        sum2_3 += w2 * p3;
        let w3 = mat4x4f(weights[(block3 + i) * K * K + ky * K + kx]);
        sum3_0 += w3 * p0;
        sum3_1 += w3 * p1;
        sum3_2 += w3 * p2;
        sum3_3 += w3 * p3;
      }
    }
  }
  store(first + 0u, row + 0u, col, sum0_0);
  store(first + 0u, row + 1u, col, sum0_1);
  store(first + 0u, row + 2u, col, sum0_2);
  store(first + 0u, row + 3u, col, sum0_3);
  store(first + 1u, row + 0u, col, sum1_0);
  store(first + 1u, row + 1u, col, sum1_1);
  store(first + 1u, row + 2u, col, sum1_2);
  store(first + 1u, row + 3u, col, sum1_3);
  store(first + 2u, row + 0u, col, sum2_0);
  store(first + 2u, row + 1u, col, sum2_1);
  store(first + 2u, row + 2u, col, sum2_2);
  store(first + 2u, row + 3u, col, sum2_3);
  store(first + 3u, row + 0u, col, sum3_0);
  store(first + 3u, row + 1u, col, sum3_1);
  store(first + 3u, row + 2u, col, sum3_2);
  store(first + 3u, row + 3u, col, sum3_3);
}
