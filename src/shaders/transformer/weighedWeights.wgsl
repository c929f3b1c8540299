// A 1x1 convolution reads a product `u * f`, where `f` contains one factor per channel. This
// kernel multiplies the weights of the convolution by `f`, so that the convolution can read `u`
// directly. The factors are computed from the mean of each channel of `u`.
//
//   f = sigmoid( W2 act(W1 mean(u)) ),  weighed[o,i] = weights[o,i] * f[i]
//   partials [chunks][BLOCKS] vec4f: sums of u
//   w1 [HIDDEN][LENGTH_IN], w2 [LENGTH_IN][HIDDEN] row-major f32
//   weights, weighed [OUT_BLOCKS][BLOCKS] 4 x 4 matrices, stored column by column (with TRANSPOSED,
//   row by row)
// There are only a few thousand operations, so one workgroup of 64 invocations is enough.
// The prelude (code that is put before this shader) defines E4, BLOCKS, OUT_BLOCKS, LENGTH_IN,
// HIDDEN, ACT0, SLOPE0 and TRANSPOSED.

#import lib/activation
#import vector/finishMean

@group(0) @binding(2) var<storage, read> w1: array<f32>;
@group(0) @binding(3) var<storage, read> w2: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<E4>;
@group(0) @binding(5) var<storage, read_write> weighed: array<E4>;

var<workgroup> pooled: array<vec4f, BLOCKS>;
var<workgroup> hidden: array<f32, HIDDEN>;
var<workgroup> factors: array<vec4f, BLOCKS>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var block = 0u; block < BLOCKS; block++) {
    let value = finish_mean(block, params.chunks, params.pixels, lane);
    if lane == 0u {
      pooled[block] = value;
    }
  }
  workgroupBarrier();
  for (var h = lane; h < HIDDEN; h += 64u) {
    var sum = 0.0;
    for (var i = 0u; i < LENGTH_IN; i++) {
      sum += w1[h * LENGTH_IN + i] * pooled[i / 4u][i % 4u];
    }
    hidden[h] = activate(ACT0, SLOPE0, vec4f(sum)).x;
  }
  workgroupBarrier();
  for (var block = lane; block < BLOCKS; block += 64u) {
    var sum = vec4f(0.0);
    for (var h = 0u; h < HIDDEN; h++) {
      for (var l = 0u; l < 4u; l++) {
        let row = min(block * 4u + l, LENGTH_IN - 1u);
        sum[l] += w2[row * HIDDEN + h] * hidden[h];
      }
    }
    factors[block] = logistic(sum);
  }
  workgroupBarrier();
  for (var v = lane; v < OUT_BLOCKS * BLOCKS * 4u; v += 64u) {
    let own = factors[v / 4u % BLOCKS];
    #if TRANSPOSED
      let by = own;
    #else
      let by = vec4f(own[v % 4u]);
    #end
    weighed[v] = E4(vec4f(weights[v]) * by);
  }
}
