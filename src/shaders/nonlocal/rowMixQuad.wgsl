// Computes the same weighted sums as rowMix.wgsl. This version needs the feature `subgroups`. It is
// for devices on which loads from memory are slow. Four neighbouring invocations compute different
// rows but need the same keys, so each of them loads the values of one key and shares them with the
// others.
//
//   y[q] = sum_k p[q, k] * rows[k], with the keys k of q's window
//
// One invocation computes 16 channels of 4 rows without workgroup memory. A workgroup computes 64
// rows. In the grid, `x` selects 64 rows and one of `ceil(blocks / 4)` groups of 16 channels, and
// `y` selects the window. The prelude (code that is put before this shader) defines the types E and
// E4.

#import nonlocal/quadColumns
#import nonlocal/keyQuad

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> p: array<vec4f>;
@group(0) @binding(2) var<storage, read> rows: array<E4>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;

// Returns the values of four keys for one block of four channels. Each column holds one key. Beyond
// the last block, the values are arbitrary, but `store` does not write the sums that are computed
// from them.
fn load_values(at: u32) -> mat4x4f {
  return quad_columns(vec4f(rows[at]));
}

fn store(inside: bool, row: u32, block: u32, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) {
  if !inside {
    return;
  }
  let at = row * params.blocks + block;
  y[at] = E4(v0);
  if block + 1u < params.blocks { y[at + 1u] = E4(v1); }
  if block + 2u < params.blocks { y[at + 2u] = E4(v2); }
  if block + 3u < params.blocks { y[at + 3u] = E4(v3); }
}

@compute @workgroup_size(16, 1, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = subgroup_lane & 3u;
  let window = params.first + group.y + params.group_row;
  let parts = (params.blocks + 3u) / 4u;
  let row = group.x / parts * 64u + local.x * 4u;
  let block = group.x % parts * 4u;
  let spans = spans_of(window);
  let last = params.window - 1u;
  let weights_at = group.y + params.group_row;
  let at0 = (weights_at * params.window + min(row, last)) * params.stride;
  let at1 = (weights_at * params.window + min(row + 1u, last)) * params.stride;
  let at2 = (weights_at * params.window + min(row + 2u, last)) * params.stride;
  let at3 = (weights_at * params.window + min(row + 3u, last)) * params.stride;
  #for k in 0..4
    #for r in 0..4
      var s{k}_{r} = vec4f(0.0);
    #end
  #end
  for (var i = 0u; i < params.stride; i++) {
    let at = key_row(spans, i * 4u + lane) * params.blocks + block;
    #for r in 0..4
      let w{r} = p[at{r} + i];
    #end
    let m0 = load_values(at);
    let m1 = load_values(at + 1u);
    let m2 = load_values(at + 2u);
    let m3 = load_values(at + 3u);
    #for k in 0..4
      #for r in 0..4
        s{k}_{r} += m{k} * w{r};
      #end
    #end
  }
  let to = window * params.window + row;
  store(row <= last, to, block, s0_0, s1_0, s2_0, s3_0);
  store(row + 1u <= last, to + 1u, block, s0_1, s1_1, s2_1, s3_1);
  store(row + 2u <= last, to + 2u, block, s0_2, s1_2, s2_2, s3_2);
  store(row + 3u <= last, to + 3u, block, s0_3, s1_3, s2_3, s3_3);
}
