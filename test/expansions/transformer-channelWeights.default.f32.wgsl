alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 180u;
const DEPTH = 30u;
const HEADS = 6u;
const SUMS = 5760u;

// The second stage of attention between channels. Each channel c has a query vector q[c] and a key
// vector k[c], which contain one value for each pixel of the map. This stage takes the sums from
// channelSums.wgsl and computes:
//   weights[c][d] = softmax_d( t[head] * q[c].k[d] / (max(|q[c]|, 1e-12) max(|k[d]|, 1e-12)) )
//   partials    [chunks][SUMS] f32
//   temperature [HEADS] f32: t
//   weights     [HEADS][DEPTH][DEPTH] f32
// One workgroup of 64 invocations computes one head. Each invocation computes one row `weights[c]`
// at a time. The sums are not divided by the number of pixels, because this factor would cancel out
// when the products are divided by the norms. The grid is (HEADS, 1, 1).
// The prelude (code that is put before this shader) defines E, E4, DEPTH, HEADS and SUMS.

struct Params {
  pixels: u32,
  chunks: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> temperature: array<f32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;

const PRODUCTS = DEPTH * DEPTH;
const ALL = PRODUCTS + 2u * DEPTH;

var<workgroup> norms: array<f32, 2u * DEPTH>;

fn sum_of(i: u32) -> f32 {
  var sum = 0.0;
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
    sum += partials[chunk * SUMS + i];
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ALL;
  for (var i = lane; i < 2u * DEPTH; i += 64u) {
    norms[i] = 1.0 / max(sqrt(sum_of(first + PRODUCTS + i)), 1e-12);
  }
  workgroupBarrier();
  for (var c = lane; c < DEPTH; c += 64u) {
    let row = (group.x * DEPTH + c) * DEPTH;
    var most = -3.0e38;
    for (var d = 0u; d < DEPTH; d++) {
      let product = sum_of(first + c * DEPTH + d);
      let s = product * norms[c] * norms[DEPTH + d] * temperature[group.x];
      weights[row + d] = s;
      most = max(most, s);
    }
    var total = 0.0;
    for (var d = 0u; d < DEPTH; d++) {
      let e = exp(weights[row + d] - most);
      weights[row + d] = e;
      total += e;
    }
    for (var d = 0u; d < DEPTH; d++) {
      weights[row + d] /= total;
    }
  }
}
