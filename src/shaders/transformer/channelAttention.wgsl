// Attention between the channels of a head, over the pixels of a group (`channelAttention` in
// graph/transformerOp.ts):
//   A[c,d] = softmax_d( t[head] * q[c].k[d] / (max(|q[c]|, 1e-12) max(|k[d]|, 1e-12)) )
//   v'[c] = sum_d A[c,d] v[d]
// With PROJECT, there is only one head. The kernel then also applies a 1x1 convolution and adds a
// residual:
//   y = r + W v' = r + (W A) v
//   x       [..][H][W] vectors of 4 channels (Chw4c): CHANNELS queries, CHANNELS keys, then
//           CHANNELS values
//   temperature [HEADS] f32: t
//   weights [CHANNELS][CHANNELS] f32, with PROJECT: W in row-major order
//   r, y    [ceil(CHANNELS / 4)][H][W]; without PROJECT, r is not read
// One workgroup of 256 invocations computes one head of one group. For the dot products `q[c].k[d]`
// and the norms, the workgroup copies the queries and keys of CHUNK pixels at a time to workgroup
// memory. Afterwards, `A` is stored in the same memory. In the grid, `x` and `y` select the group,
// and `z` selects the head. The prelude (code that is put before this shader) defines E, E4,
// CHANNELS, DEPTH (the number of channels per head, a multiple of 4 unless HEADS is 1), HEADS,
// CHUNK, MEMORY (the larger of `2 * DEPTH * CHUNK` and `DEPTH^2`), PROJECT and the constants of
// lib/groups.

#import lib/groups
#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> temperature: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> r: array<E4>;
@group(0) @binding(5) var<storage, read_write> y: array<E4>;

const PAIRS = (DEPTH * DEPTH + 255u) / 256u;

var<workgroup> memory: array<f32, MEMORY>;
var<workgroup> norms: array<f32, 2u * DEPTH>;

fn channel(c: u32, pixel: u32) -> f32 {
  return f32(x[(c >> 2u) * params.width * params.height + pixel][c & 3u]);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let place = vec2u(group.x, group.y + params.group_row);
  let plane = params.width * params.height;
  var positions = ROWS * COLUMNS;
  if GROUPING == 2u {
    positions = plane / (ROWS * COLUMNS);
  }
  let head = group.z * DEPTH;

  // This invocation computes the dot products q[c].k[d] of some channel pairs (c, d) and stores
  // them in `sums`. `squares` is the squared norm of one channel. The first DEPTH invocations
  // compute it for the head's queries, and the next DEPTH invocations compute it for the head's
  // keys.
  var sums: array<f32, PAIRS>;
  var squares = 0.0;
  for (var start = 0u; start < positions; start += CHUNK) {
    workgroupBarrier();
    for (var i = lane; i < 2u * DEPTH * CHUNK; i += 256u) {
      let c = i / CHUNK;
      let position = start + i % CHUNK;
      var v = 0.0;
      if position < positions {
        let source = select(head + c, CHANNELS + head + c - DEPTH, c >= DEPTH);
        v = channel(source, group_pixel(place, position, params.width, params.height));
      }
      memory[i] = v;
    }
    workgroupBarrier();
    for (var n = 0u; n < PAIRS; n++) {
      let pair = n * 256u + lane;
      if pair < DEPTH * DEPTH {
        let q = pair / DEPTH * CHUNK;
        let k = (DEPTH + pair % DEPTH) * CHUNK;
        var sum = 0.0;
        for (var i = 0u; i < CHUNK; i++) {
          sum += memory[q + i] * memory[k + i];
        }
        sums[n] += sum;
      }
    }
    if lane < 2u * DEPTH {
      for (var i = 0u; i < CHUNK; i++) {
        squares += memory[lane * CHUNK + i] * memory[lane * CHUNK + i];
      }
    }
  }
  if lane < 2u * DEPTH {
    norms[lane] = 1.0 / max(sqrt(squares), 1e-12);
  }
  workgroupBarrier();
  for (var n = 0u; n < PAIRS; n++) {
    let pair = n * 256u + lane;
    if pair < DEPTH * DEPTH {
      memory[pair] =
        sums[n] * norms[pair / DEPTH] * norms[DEPTH + pair % DEPTH] * temperature[group.z];
    }
  }
  workgroupBarrier();
  if lane < DEPTH {
    let row = lane * DEPTH;
    var most = memory[row];
    for (var d = 1u; d < DEPTH; d++) {
      most = max(most, memory[row + d]);
    }
    var sum = 0.0;
    for (var d = 0u; d < DEPTH; d++) {
      let e = exp(memory[row + d] - most);
      memory[row + d] = e;
      sum += e;
    }
    for (var d = 0u; d < DEPTH; d++) {
      memory[row + d] /= sum;
    }
  }
  workgroupBarrier();
  #if PROJECT
    for (var n = 0u; n < PAIRS; n++) {
      let pair = n * 256u + lane;
      var sum = 0.0;
      if pair < DEPTH * DEPTH {
        let row = pair / DEPTH * DEPTH;
        for (var c = 0u; c < DEPTH; c++) {
          sum += weights[row + c] * memory[c * DEPTH + pair % DEPTH];
        }
      }
      sums[n] = sum;
    }
    workgroupBarrier();
    for (var n = 0u; n < PAIRS; n++) {
      let pair = n * 256u + lane;
      if pair < DEPTH * DEPTH {
        memory[pair] = sums[n];
      }
    }
    workgroupBarrier();
  #end

  // Each iteration computes a block of 4 output channels at one pixel. If HEADS is 1, the last
  // block can extend past the last channel of the head.
  let blocks = (DEPTH + 3u) / 4u;
  for (var i = lane; i < positions * blocks; i += 256u) {
    let pixel = group_pixel(place, i % positions, params.width, params.height);
    let block = i / positions;
    let count = min(4u, DEPTH - block * 4u);
    var sum = vec4f(0.0);
    for (var d = 0u; d < DEPTH; d++) {
      let v = channel(2u * CHANNELS + head + d, pixel);
      for (var l = 0u; l < count; l++) {
        sum[l] += memory[(block * 4u + l) * DEPTH + d] * v;
      }
    }
    let at = (head / 4u + block) * plane + pixel;
    #if PROJECT
      sum += vec4f(r[at]);
    #end
    y[at] = E4(sum);
  }
}
