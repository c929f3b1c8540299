// Computes attention weights within windows of sorted rows, with a tiled matrix product and a
// softmax.
//   s[q, k] = rows[q] . rows[k] * inverse[k] (BIASED: + bias[k][q's position in its window]);
//   lse[q] = log sum_k exp s[q, k];  p = exp(s - lse)
//   rows    [R][windows * w][blocks] vectors of 4 channels
//   inverse [R][windows * w] f32, the reciprocal of each row's norm
//   p       [windows of this dispatch][w][stride] vectors of 4 keys, zeros beyond the last key
//   lse     [R][windows * w] f32
//   bias    [R][windows * w][bias_blocks] vectors of 4 positions, with BIASED
// One workgroup computes the weights of all keys of a window for 32 rows. It processes 32 keys at a
// time. Each of the workgroup's 8 x 8 invocations computes 4 x 4 scores at a time: those of 4 rows
// for 4 keys. The scores are stored in `p`. Once `lse` is known, they are replaced by the weights.
// Each invocation reads back only its own values. The workgroup's index `x` in the grid selects 32
// rows of the window, and its index `y` selects the window. Sizes are uniforms, so maps of all
// sizes share one pipeline.
// The prelude (code that is put before this shader) defines the types E and E4 and the constant
// BIASED.

#import nonlocal/keyRow

struct Params {
  windows: u32, // The number of windows in a round of clustering.
  first: u32,       // The first window of this dispatch, counted across all rounds.
  group_row: u32,
  window: u32, // The number of rows in a window, `w`.
  keys: u32, // The number of keys per row, `w` or `3 * w`.
  stride: u32,      // The number of vectors of 4 keys in a row of `p`.
  blocks: u32,      // The number of vectors of 4 channels in a row.
  #if BIASED
    bias_blocks: u32,
  #end
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<E4>;
@group(0) @binding(2) var<storage, read> inverse: array<f32>;
#if BIASED
  @group(0) @binding(3) var<storage, read> bias: array<E4>;
  @group(0) @binding(4) var<storage, read_write> p: array<vec4f>;
  @group(0) @binding(5) var<storage, read_write> lse: array<f32>;
#else
  @group(0) @binding(3) var<storage, read_write> p: array<vec4f>;
  @group(0) @binding(4) var<storage, read_write> lse: array<f32>;
#end

// Each row and each key is copied to workgroup memory in parts. A part has this many vectors of 4
// channels.
const PART = 8u;
const LOWEST = -3.0e38;

var<workgroup> query: array<vec4f, 256>;
var<workgroup> key: array<vec4f, 256>;
var<workgroup> tops: array<vec4f, 64>;
var<workgroup> totals: array<vec4f, 64>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let window = params.first + group.y + params.group_row;
  let lane = local.x % 8u;
  let team = local.x / 8u;
  let first_row = group.x * 32u;
  // Rows beyond the last one repeat the last row, and their results are not stored. Keys beyond the
  // last one repeat the last key and get the score LOWEST.
  let rows_at = window * params.window;
  let at = ((window - params.first) * params.window + first_row + team * 4u) * params.stride + lane;
  let rest = params.window - min(params.window, first_row + team * 4u);
  var top = vec4f(LOWEST);
  var total = vec4f(0.0);
  for (var tile = 0u; tile < params.keys; tile += 32u) {
    #for r in 0..4
      var s{r} = vec4f(0.0);
    #end
    for (var part = 0u; part < params.blocks; part += PART) {
      workgroupBarrier();
      for (var i = local.x; i < 256u; i += 64u) {
        let block = part + i % PART;
        var q = vec4f(0.0);
        var k = vec4f(0.0);
        if block < params.blocks {
          q = vec4f(rows[(rows_at + min(first_row + i / PART, params.window - 1u)) * params.blocks + block]);
          k = vec4f(rows[key_row(window, min(tile + i / PART, params.keys - 1u)) * params.blocks + block]);
        }
        query[i] = q;
        key[i] = k;
      }
      workgroupBarrier();
      for (var b = 0u; b < PART; b++) {
        let k0 = key[(lane * 4u) * PART + b];
        let k1 = key[(lane * 4u + 1u) * PART + b];
        let k2 = key[(lane * 4u + 2u) * PART + b];
        let k3 = key[(lane * 4u + 3u) * PART + b];
        let q0 = query[(team * 4u) * PART + b];
        let q1 = query[(team * 4u + 1u) * PART + b];
        let q2 = query[(team * 4u + 2u) * PART + b];
        let q3 = query[(team * 4u + 3u) * PART + b];
        #for r in 0..4
          s{r} += vec4f(dot(q{r}, k0), dot(q{r}, k1), dot(q{r}, k2), dot(q{r}, k3));
        #end
      }
    }
    let k = vec4u(tile + lane * 4u) + vec4u(0u, 1u, 2u, 3u);
    let there = k < vec4u(params.keys);
    let last = params.keys - 1u;
    let scale = vec4f(
      inverse[key_row(window, min(k.x, last))],
      inverse[key_row(window, min(k.y, last))],
      inverse[key_row(window, min(k.z, last))],
      inverse[key_row(window, min(k.w, last))],
    );
    #for r in 0..4
      s{r} *= scale;
    #end
    #if BIASED
      // A bias vector contains the biases of one key for four queries, but a score vector contains
      // the scores of one query for four keys. The four bias vectors are therefore transposed.
      let places = min(first_row / 4u + team, params.bias_blocks - 1u);
      let b0 = vec4f(bias[key_row(window, min(k.x, last)) * params.bias_blocks + places]);
      let b1 = vec4f(bias[key_row(window, min(k.y, last)) * params.bias_blocks + places]);
      let b2 = vec4f(bias[key_row(window, min(k.z, last)) * params.bias_blocks + places]);
      let b3 = vec4f(bias[key_row(window, min(k.w, last)) * params.bias_blocks + places]);
      s0 += vec4f(b0.x, b1.x, b2.x, b3.x);
      s1 += vec4f(b0.y, b1.y, b2.y, b3.y);
      s2 += vec4f(b0.z, b1.z, b2.z, b3.z);
      s3 += vec4f(b0.w, b1.w, b2.w, b3.w);
    #end
    #for r in 0..4
      s{r} = select(vec4f(LOWEST), s{r}, there);
    #end
    let largest = vec4f(highest(s0), highest(s1), highest(s2), highest(s3));
    let next = max(top, largest);
    total = total * exp(top - next) + vec4f(
      dot(exp(s0 - next.x), vec4f(1.0)),
      dot(exp(s1 - next.y), vec4f(1.0)),
      dot(exp(s2 - next.z), vec4f(1.0)),
      dot(exp(s3 - next.w), vec4f(1.0)),
    );
    top = next;
    if tile / 4u + lane < params.stride {
      let to = at + tile / 4u;
      if rest > 0u { p[to] = s0; }
      if rest > 1u { p[to + params.stride] = s1; }
      if rest > 2u { p[to + 2u * params.stride] = s2; }
      if rest > 3u { p[to + 3u * params.stride] = s3; }
    }
  }

  tops[local.x] = top;
  totals[local.x] = total;
  workgroupBarrier();
  var all = vec4f(LOWEST);
  for (var i = 0u; i < 8u; i++) {
    all = max(all, tops[team * 8u + i]);
  }
  var sum = vec4f(0.0);
  for (var i = 0u; i < 8u; i++) {
    sum += totals[team * 8u + i] * exp(tops[team * 8u + i] - all);
  }
  let logs = all + log(sum);
  if lane < min(rest, 4u) {
    lse[rows_at + first_row + team * 4u + lane] = logs[lane];
  }
  for (var i = 0u; i + lane < params.stride; i += 8u) {
    let to = at + i;
    if rest > 0u { p[to] = exp(p[to] - logs.x); }
    if rest > 1u { p[to + params.stride] = exp(p[to + params.stride] - logs.y); }
    if rest > 2u { p[to + 2u * params.stride] = exp(p[to + 2u * params.stride] - logs.z); }
    if rest > 3u { p[to + 3u * params.stride] = exp(p[to + 3u * params.stride] - logs.w); }
  }
}

fn highest(v: vec4f) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}
