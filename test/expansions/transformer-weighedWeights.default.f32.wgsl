alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const QUAD = false;
const BLOCKS = 12u;
const OUT_BLOCKS = 12u;
const LENGTH_IN = 48u;
const HIDDEN = 12u;
const TRANSPOSED = false;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;
const ACT0 = 4u;
const SLOPE0 = 0.0f;

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

// Activation functions. kernels/activation.ts assigns a number to each function: ACTIVATION_NONE,
// ACTIVATION_RELU, ...

// Returns NaN where `v` is NaN, otherwise `result`, which was computed from `v`. This is needed
// because `max`, `min`, `clamp` and comparisons can drop NaN. The function tests the bits, because
// a compiler may assume that floats are finite.
fn keep_nan(v: vec4f, result: vec4f) -> vec4f {
  return select(result, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

// The clamp keeps `exp()` finite on every device. Beyond the clamp's limits, the logistic function
// differs from 0 or 1 by less than 2e-35.
fn logistic(v: vec4f) -> vec4f {
  return keep_nan(v, 1.0 / (1.0 + exp(-clamp(v, vec4f(-80.0), vec4f(80.0)))));
}

// A leaky ReLU. With slope 1, it is the identity. With slope 0, it is a ReLU. NaN stays NaN,
// because `NaN < 0` is false.
fn leaky(slope: vec4f, v: vec4f) -> vec4f {
  return select(v, v * slope, v < vec4f(0.0));
}

fn relu(v: vec4f) -> vec4f {
  return keep_nan(v, max(v, vec4f(0.0)));
}

// Computes `erf(v)` with an error of at most 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(v: vec4f) -> vec4f {
  let a = min(abs(v), vec4f(6.0));
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(v) * (1.0 - series * exp(-a * a));
}

fn activate(id: u32, slope: f32, v: vec4f) -> vec4f {
  switch id {
    case ACTIVATION_LEAKY_RELU: { return leaky(vec4f(slope), v); }
    case ACTIVATION_RELU: { return relu(v); }
    case ACTIVATION_SIGMOID: { return logistic(v); }
    case ACTIVATION_SILU: { return v * logistic(v); }
    case ACTIVATION_GELU: { return 0.5 * v * (1.0 + erf(v * 0.70710678)); }
    // `tanh(ln(1 + e^v))` is `n / (n + 2)` with `n = e^v * (e^v + 2)`.
    case ACTIVATION_MISH: {
      let e = exp(min(v, vec4f(20.0)));
      let n = e * (e + 2.0);
      return v * (n / (n + 2.0));
    }
    // Near zero, `tanh` stays precise, but the equivalent `1 / (1 + exp(-v)) - 0.5` would not.
    case ACTIVATION_CENTRED_SIGMOID: { return keep_nan(v, 0.5 * tanh(clamp(0.5 * v, vec4f(-20.0), vec4f(20.0)))); }
    default: { return v; }
  }
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
    let by = vec4f(own[v % 4u]);
    weighed[v] = E4(vec4f(weights[v]) * by);
  }
}
