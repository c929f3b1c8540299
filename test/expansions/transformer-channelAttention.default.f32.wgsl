alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 48u;
const DEPTH = 48u;
const HEADS = 1u;
const CHUNK = 32u;
const MEMORY = 3072u;
const PROJECT = false;
const GROUPING = 2u;
const ROWS = 8u;
const COLUMNS = 8u;
const MOVED = false;
const SHIFT_X = 0u;
const SHIFT_Y = 0u;
const MULTIPLE = 1u;

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

// Finds the pixels of a group in a map of `width` x `height` pixels. GROUPING is the kind of group:
// 0 for windows, 1 for spread and 2 for grid, as defined in graph/transformerOp.ts. Kernels pass
// their workgroup id as `group`, with `params.group_row` added to `y`.
// The prelude (code that is put before this shader) defines GROUPING, ROWS, COLUMNS, MOVED,
// SHIFT_X, SHIFT_Y and MULTIPLE. ROWS and COLUMNS are the size of a group or, for a grid, the
// distance between the pixels of a group. MOVED is true if windows are shifted or can extend past
// the map. The map is padded with zeros, so that its width and height are multiples of MULTIPLE.

// Represents a pixel beyond the map.
const ABSENT = 0xffffffffu;

// Returns the width and height of the padded map, counted in windows.
fn windows_in(width: u32, height: u32) -> vec2u {
  return (vec2u(width, height) + MULTIPLE - 1u) / MULTIPLE * MULTIPLE / vec2u(COLUMNS, ROWS);
}

fn group_pixel(group: vec2u, position: u32, width: u32, height: u32) -> u32 {
  if GROUPING == 2u {
    let columns = width / COLUMNS;
    return (position / columns * ROWS + group.y) * width + position % columns * COLUMNS + group.x;
  }
  let at = vec2u(position % COLUMNS, position / COLUMNS);
  if GROUPING == 1u {
    return (at.y * (height / ROWS) + group.y) * width + at.x * (width / COLUMNS) + group.x;
  }
  let rolled = group * vec2u(COLUMNS, ROWS) + at;
  return rolled.y * width + rolled.x;
}

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

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
    y[at] = E4(sum);
  }
}
