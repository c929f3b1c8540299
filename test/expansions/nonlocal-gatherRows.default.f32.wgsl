alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const BLOCKS = 8u;

// Copies a map's pixels to rows, one pixel per row. The buffer `order` lists the pixels in the
// order of their rows. The last rows are repeated to fill the last window. `sorted(j)` is `j` or,
// if row `j` repeats another row, the position of that row.
//   rows[r, j] = x[:, order[r, sorted(j)] - r * length]
//   x     [BLOCKS][length] vectors of 4 channels (Chw4c)
//   order [R][length] u32, with r * length added
//   rows  [R][padded][BLOCKS] vectors of 4 channels
// One invocation copies 4 channels of one row. A workgroup has 4 x 16 invocations and copies up to
// 16 channels of 16 rows. In the grid, `x` selects the channels, `y` selects the rows, and `z`
// selects the round of clustering, `r`. The prelude (code that is put before this shader) defines
// the type E4 and the constant BLOCKS (the number of blocks of 4 channels).

struct Params {
  length: u32,
  padded: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> rows: array<E4>;

@compute @workgroup_size(4, 16, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let block = group.x * 4u + local.x;
  let j = (group.y + params.group_row) * 16u + local.y;
  if block >= BLOCKS || j >= params.padded {
    return;
  }
  var sorted = j;
  if j >= params.length {
    sorted = params.length - 1u - (params.padded - 1u - j) % params.length;
  }
  let base = group.z * params.length;
  let pixel = order[base + sorted] - base;
  rows[(group.z * params.padded + j) * BLOCKS + block] = x[block * params.length + pixel];
}
