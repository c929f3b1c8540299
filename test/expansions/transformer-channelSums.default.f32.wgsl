alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 180u;
const DEPTH = 30u;
const HEADS = 6u;
const SUMS = 5760u;
const PIXELS = 1024u;
const STEP = 32u;
const PER_LANE = 4u;

// The first stage of attention between channels over a whole map. It computes the following sums
// over chunks of pixels:
//   q[c] k[d]        for the channels c and d of each head, then
//   q[c]^2, k[c]^2   for the channels of each head
//   x        [..][H * W] vectors of 4 channels (Chw4c): CHANNELS queries, then CHANNELS keys
//   partials [chunks][SUMS] f32. SUMS is a multiple of 4. In each chunk, the sums of head h
//            start at index h * (DEPTH^2 + 2 * DEPTH).
// One workgroup of 256 invocations computes the sums of one head over a chunk of PIXELS consecutive
// pixels. It loads STEP pixels at a time into workgroup memory. In the grid, `x` selects the chunk,
// and `z` selects the head. If there are more than 65535 chunks, the grid has several rows (`y`) of
// chunks. The prelude (code that is put before this shader) defines E, E4, CHANNELS, DEPTH (the
// number of channels per head), HEADS, PIXELS, STEP, SUMS and PER_LANE (the number of sums per
// invocation).

struct Params {
  pixels: u32, // The number of pixels, `H * W`.
  chunks: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

const PRODUCTS = DEPTH * DEPTH;
const ALL = PRODUCTS + 2u * DEPTH;
const_assert PER_LANE * 256u >= ALL;

var<workgroup> memory: array<f32, 2u * DEPTH * STEP>;

// Computes one of the head's sums over the pixels in workgroup memory. `i` is the index of this
// sum. The sums with indices below PRODUCTS add up products of a query and a key. The other sums
// add up squares.
fn step_sum(i: u32) -> f32 {
  var sum = 0.0;
  if i < ALL {
    let a = select(i - PRODUCTS, i / DEPTH, i < PRODUCTS);
    let b = select(a, DEPTH + i % DEPTH, i < PRODUCTS);
    for (var p = 0u; p < STEP; p++) {
      sum += memory[a * STEP + p] * memory[b * STEP + p];
    }
  }
  return sum;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = (group.y + params.group_row) * groups.x + group.x;
  let begin = chunk * PIXELS;
  let head = group.z * DEPTH;
  var sum0 = 0.0;
  var sum1 = 0.0;
  var sum2 = 0.0;
  var sum3 = 0.0;
  for (var start = 0u; start < PIXELS; start += STEP) {
    workgroupBarrier();
    for (var i = lane; i < 2u * DEPTH * STEP; i += 256u) {
      let row = i / STEP;
      let pixel = begin + start + i % STEP;
      var v = 0.0;
      if pixel < params.pixels {
        let c = select(head + row, CHANNELS + head + row - DEPTH, row >= DEPTH);
        v = f32(x[(c >> 2u) * params.pixels + pixel][c & 3u]);
      }
      memory[i] = v;
    }
    workgroupBarrier();
    sum0 += step_sum(0u * 256u + lane);
    sum1 += step_sum(1u * 256u + lane);
    sum2 += step_sum(2u * 256u + lane);
    sum3 += step_sum(3u * 256u + lane);
  }
  if chunk >= params.chunks {
    return;
  }
  let base = chunk * SUMS + group.z * ALL + lane;
  if 0u * 256u + lane < ALL {
    partials[base + 0u * 256u] = sum0;
  }
  if 1u * 256u + lane < ALL {
    partials[base + 1u * 256u] = sum1;
  }
  if 2u * 256u + lane < ALL {
    partials[base + 2u * 256u] = sum2;
  }
  if 3u * 256u + lane < ALL {
    partials[base + 3u * 256u] = sum3;
  }
  if group.z == 0u && lane < SUMS - HEADS * ALL {
    partials[chunk * SUMS + HEADS * ALL + lane] = 0.0;
  }
}
