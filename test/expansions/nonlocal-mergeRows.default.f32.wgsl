alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const BLOCKS = 8u;
const ROUNDS = 2u;

// Moves the sorted rows back to their pixels. Each pixel has one row per round of clustering, and
// its result is the weighted sum of these rows. `lse` is the log-sum-exp of each row's attention
// scores, and the weights `w` are the softmax of `lse` over the rounds:
//   y[:, i] = sum_r w_r * rows[r, rank[r, i] - r * length]
//   rows [R][padded][BLOCKS] vectors of 4 channels, lse [R][padded] f32
//   rank [R][length] u32, the sorted position of each pixel, with r * length added
//   y    [BLOCKS][length] vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one pixel. Workgroups have 64 invocations. The workgroup's
// `y` index selects the block of 4 channels. The prelude (code that is put before this shader)
// defines the type E4 and the constants BLOCKS and ROUNDS.

struct Params {
  length: u32,
  padded: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<E4>;
@group(0) @binding(2) var<storage, read> rank: array<u32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

fn row_of(round: u32, pixel: u32) -> u32 {
  let sorted = rank[round * params.length + pixel] - round * params.length;
  return round * params.padded + sorted;
}

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let pixel = group.x * 64u + local.x;
  let block = group.y + params.group_row;
  if pixel >= params.length {
    return;
  }
  let at = block * params.length + pixel;
  if ROUNDS == 1u {
    y[at] = rows[row_of(0u, pixel) * BLOCKS + block];
    return;
  }
  var top = -3.0e38;
  for (var r = 0u; r < ROUNDS; r++) {
    top = max(top, lse[row_of(r, pixel)]);
  }
  var sum = vec4f(0.0);
  var total = 0.0;
  for (var r = 0u; r < ROUNDS; r++) {
    let row = row_of(r, pixel);
    let weight = exp(lse[row] - top);
    total += weight;
    sum += weight * vec4f(rows[row * BLOCKS + block]);
  }
  y[at] = E4(sum / total);
}
