// Computes weighted sums of rows:
//   y[q] = sum_k p[q, k] * rows[k], with the keys k of q's window
//   p    [windows of this dispatch][w][stride] vectors of 4 keys, zeros beyond the last key
//   rows [R][windows * w][blocks] vectors of 4 channels
//   y    has the layout of rows
// One workgroup computes 64 channels of 32 rows and processes 32 keys at a time. Each of its 8 x 8
// invocations computes 8 channels of 4 rows. In the grid, `y` selects the window, and
// `ceil(blocks / 16)` consecutive values of `x` cover all channels of 32 rows. Sizes are uniforms,
// so maps of all sizes share one pipeline. The prelude (code that is put before this shader)
// defines the types E and E4.

#import nonlocal/keyRow

struct Params {
  windows: u32, // The number of windows in a round of clustering.
  first: u32,       // The first window of this dispatch, counted across all rounds.
  group_row: u32,
  window: u32, // The number of rows in a window, `w`.
  keys: u32, // The number of keys per row, `w` or `3 * w`.
  stride: u32,      // The number of vectors of 4 keys in a row of `p`.
  blocks: u32,      // The number of vectors of 4 channels in a row.
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<vec4f>;
@group(0) @binding(2) var<storage, read> rows: array<E4>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;


var<workgroup> weight: array<vec4f, 256>;
var<workgroup> value: array<vec4f, 512>;

fn store(row: u32, block: u32, sum: vec4f) {
  if block < params.blocks {
    y[row * params.blocks + block] = E4(sum);
  }
}

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let window = params.first + group.y + params.group_row;
  let lane = local.x % 8u;
  let team = local.x / 8u;
  let parts = (params.blocks + 15u) / 16u;
  let first_row = group.x / parts * 32u;
  let first_block = group.x % parts * 16u;
  let weights_at = (window - params.first) * params.window * params.stride;
  #for r in 0..4
    var a{r} = vec4f(0.0);
  #end
  #for r in 0..4
    var b{r} = vec4f(0.0);
  #end
  for (var tile = 0u; tile < params.keys; tile += 32u) {
    workgroupBarrier();
    for (var i = local.x; i < 256u; i += 64u) {
      let row = first_row + i / 8u;
      let column = tile / 4u + i % 8u;
      var v = vec4f(0.0);
      if row < params.window && column < params.stride {
        v = p[weights_at + row * params.stride + column];
      }
      weight[i] = v;
    }
    for (var i = local.x; i < 512u; i += 64u) {
      let block = first_block + i % 16u;
      var v = vec4f(0.0);
      if block < params.blocks {
        v = vec4f(rows[key_row(window, min(tile + i / 16u, params.keys - 1u)) * params.blocks + block]);
      }
      value[i] = v;
    }
    workgroupBarrier();
    for (var k = 0u; k < 8u; k++) {
      let w0 = weight[(team * 4u) * 8u + k];
      let w1 = weight[(team * 4u + 1u) * 8u + k];
      let w2 = weight[(team * 4u + 2u) * 8u + k];
      let w3 = weight[(team * 4u + 3u) * 8u + k];
      let at = k * 64u + lane;
      let a = mat4x4f(value[at], value[at + 16u], value[at + 32u], value[at + 48u]);
      let b = mat4x4f(value[at + 8u], value[at + 24u], value[at + 40u], value[at + 56u]);
      #for r in 0..4
        a{r} += a * w{r};
      #end
      #for r in 0..4
        b{r} += b * w{r};
      #end
    }
  }
  let row = window * params.window + first_row + team * 4u;
  let rest = params.window - min(params.window, first_row + team * 4u);
  let block = first_block + lane;
  if rest > 0u { store(row, block, a0); store(row, block + 8u, b0); }
  if rest > 1u { store(row + 1u, block, a1); store(row + 1u, block + 8u, b1); }
  if rest > 2u { store(row + 2u, block, a2); store(row + 2u, block + 8u, b2); }
  if rest > 3u { store(row + 3u, block, a3); store(row + 3u, block + 8u, b3); }
}
