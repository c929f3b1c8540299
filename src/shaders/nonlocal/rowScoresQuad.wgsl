// Computes the same attention weights as rowScores.wgsl, by the method of rowMixQuad.wgsl. Four
// neighbouring invocations process different rows with the same keys, and each loads a quarter of
// the keys.
//   s[q, k] = rows[q] . rows[k] * inverse[k];  lse[q] = log sum_k exp s[q, k];  p = exp(s - lse)
// One invocation computes the weights of all keys for 4 rows and processes 16 keys at a time.
// First, it writes the scores to `p`. Then it replaces them with their exponentials, and finally
// with the attention weights. A workgroup computes 64 rows. Its index `x` in the grid selects the
// rows, and its index `y` selects the window. The prelude (code that is put before this shader)
// defines the types E and E4.

#import nonlocal/quadColumns
#import nonlocal/keyQuad

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<E4>;
@group(0) @binding(2) var<storage, read> inverse: array<f32>;
@group(0) @binding(3) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;

const LOWEST = -3.0e38;

// Returns the values of four keys for one block of four channels. Each column holds one key.
fn load_keys(at: u32) -> mat4x4f {
  return quad_columns(vec4f(rows[at]));
}

fn highest(v: vec4f) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}

@compute @workgroup_size(16, 1, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = subgroup_lane & 3u;
  let slot = group.y + params.group_row;
  let window = params.first + slot;
  let row = group.x * 64u + local.x * 4u;
  let spans = spans_of(window);
  let last = params.window - 1u;
  // Rows beyond the last one repeat the last row. Their results are not stored.
  let first = window * params.window;
  let q0 = (first + min(row, last)) * params.blocks;
  let q1 = (first + min(row + 1u, last)) * params.blocks;
  let q2 = (first + min(row + 2u, last)) * params.blocks;
  let q3 = (first + min(row + 3u, last)) * params.blocks;
  let at = (slot * params.window + row) * params.stride;
  let rest = params.window - min(params.window, row);
  var top = vec4f(LOWEST);
  for (var tile = 0u; tile < params.stride; tile += 4u) {
    let key = tile * 4u + lane;
    let row_a = key_row(spans, key);
    let row_b = key_row(spans, key + 4u);
    let row_c = key_row(spans, key + 8u);
    let row_d = key_row(spans, key + 12u);
    let at_a = row_a * params.blocks;
    let at_b = row_b * params.blocks;
    let at_c = row_c * params.blocks;
    let at_d = row_d * params.blocks;
    #for k in 0..4
      #for r in 0..4
        var s{k}_{r} = vec4f(0.0);
      #end
    #end
    for (var i = 0u; i < params.blocks; i++) {
      #for r in 0..4
        let v{r} = vec4f(rows[q{r} + i]);
      #end
      let m0 = load_keys(at_a + i);
      let m1 = load_keys(at_b + i);
      let m2 = load_keys(at_c + i);
      let m3 = load_keys(at_d + i);
      #for k in 0..4
        #for r in 0..4
          s{k}_{r} += v{r} * m{k};
        #end
      #end
    }
    // The loop below selects the sums by index, so they are copied to an array. An unrolled loop
    // would not need the array, but its body would be compiled four times.
    var s = array<vec4f, 16>(s0_0, s0_1, s0_2, s0_3, s1_0, s1_1, s1_2, s1_3, s2_0, s2_1, s2_2, s2_3, s3_0, s3_1, s3_2, s3_3);
    let own = vec4f(inverse[row_a], inverse[row_b], inverse[row_c], inverse[row_d]);
    for (var i = 0u; i < 4u; i++) {
      let k = vec4u((tile + i) * 4u) + vec4u(0u, 1u, 2u, 3u);
      let there = k < vec4u(params.keys);
      let mine = own[i];
      let scale = vec4f(
        #for key in 0..4
          quadBroadcast(mine, {key}u),
        #end
      );
      let s0 = select(vec4f(LOWEST), s[i * 4u] * scale, there);
      let s1 = select(vec4f(LOWEST), s[i * 4u + 1u] * scale, there);
      let s2 = select(vec4f(LOWEST), s[i * 4u + 2u] * scale, there);
      let s3 = select(vec4f(LOWEST), s[i * 4u + 3u] * scale, there);
      top = max(top, vec4f(highest(s0), highest(s1), highest(s2), highest(s3)));
      if tile + i < params.stride {
        let to = at + tile + i;
        if rest > 0u { p[to] = s0; }
        if rest > 1u { p[to + params.stride] = s1; }
        if rest > 2u { p[to + 2u * params.stride] = s2; }
        if rest > 3u { p[to + 3u * params.stride] = s3; }
      }
    }
  }
  for (var r = 0u; r < min(rest, 4u); r++) {
    let start = at + r * params.stride;
    var sum = vec4f(0.0);
    for (var i = 0u; i < params.stride; i++) {
      let e = exp(p[start + i] - top[r]);
      sum += e;
      p[start + i] = e;
    }
    let total = dot(sum, vec4f(1.0));
    for (var i = 0u; i < params.stride; i++) {
      p[start + i] /= total;
    }
    lse[first + row + r] = top[r] + log(total);
  }
}
