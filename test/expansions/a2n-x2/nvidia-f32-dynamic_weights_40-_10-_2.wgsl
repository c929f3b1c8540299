alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const BLOCKS = 10u;
const LENGTH_IN = 40u;
const HIDDEN = 10u;
const LENGTH_OUT = 2u;
const TEMPERATURE = 30.0f;

// Computes the weights `p` of the dynamic attention module (arXiv 2104.09497, section 3.3) from the
// partial sums of global average pooling:
//   v = sum of partials / (H * W);  z = W2 relu(W1 v);  p = softmax(z / TEMPERATURE)
//   partials [chunks][BLOCKS] vec4f (poolPartial.wgsl)
//   w1 [HIDDEN][LENGTH_IN], w2 [LENGTH_OUT][HIDDEN] row-major f32
//   p  [ceil(LENGTH_OUT / 4) * 4] f32, with zeros after the last weight
// There are only a few thousand operations, so one workgroup of 64 invocations is enough.
// The prelude (code that is put before this shader) defines BLOCKS, LENGTH_IN, HIDDEN, LENGTH_OUT
// and TEMPERATURE.

// Returns NaN where `v` is NaN, otherwise `result`, which was computed from `v`. This is needed
// because `max`, `min`, `clamp` and comparisons can drop NaN. The function tests the bits, because
// a compiler may assume that floats are finite.
fn keep_nan(v: vec4f, result: vec4f) -> vec4f {
  return select(result, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

// Computes the mean of one block of channels from partial sums such as those of poolPartial.wgsl.
// It uses a tree reduction over one workgroup of 64 invocations. Every invocation must call this
// function. Only invocation 0 gets a valid result.
var<workgroup> sums: array<vec4f, 64>;

fn finish_mean(block: u32, chunks: u32, pixels: u32, lane: u32) -> vec4f {
  var sum = vec4f(0.0);
  for (var i = lane; i < chunks; i += 64u) {
    sum += partials[i * BLOCKS + block];
  }
  workgroupBarrier();
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if lane < half {
      sums[lane] += sums[lane + half];
    }
  }

  return sums[0] / f32(pixels);
}

struct Params {
  pixels: u32,
  chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;

@group(0) @binding(2) var<storage, read> w1: array<f32>;
@group(0) @binding(3) var<storage, read> w2: array<f32>;
@group(0) @binding(4) var<storage, read_write> p: array<f32>;

var<workgroup> pooled: array<vec4f, BLOCKS>;
var<workgroup> hidden: array<f32, HIDDEN>;
var<workgroup> logits: array<f32, LENGTH_OUT>;

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
    hidden[h] = keep_nan(vec4f(sum), vec4f(max(sum, 0.0))).x;
  }
  workgroupBarrier();
  for (var o = lane; o < LENGTH_OUT; o += 64u) {
    var sum = 0.0;
    for (var h = 0u; h < HIDDEN; h++) {
      sum += w2[o * HIDDEN + h] * hidden[h];
    }
    logits[o] = sum / TEMPERATURE;
  }
  workgroupBarrier();
  if lane == 0u {
    var largest = logits[0];
    for (var o = 1u; o < LENGTH_OUT; o++) {
      largest = max(largest, logits[o]);
    }
    var sum = 0.0;
    for (var o = 0u; o < LENGTH_OUT; o++) {
      sum += exp(logits[o] - largest);
    }
    for (var o = 0u; o < (LENGTH_OUT + 3u) / 4u * 4u; o++) {
      p[o] = select(0.0, exp(logits[min(o, LENGTH_OUT - 1u)] - largest) / sum, o < LENGTH_OUT);
    }
  }
}
