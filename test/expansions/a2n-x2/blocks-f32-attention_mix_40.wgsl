alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const STRIP = 8u;
const LINES = 1u;
const DOWN = true;
const BLOCKS = 1u;
const PARTS = false;
const QUAD = false;
const STAGED = false;
const SHARED = false;
const HALO = false;
const HALF = false;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;
const DEPTH = 10u;
const TILE_COLUMNS = 8u;
const HIDDEN_BLOCKS = 3u;
const NON_REACH = 1u;
const TEMPERATURE = 30.0f;
const SLOPE = 0.20000000298023224f;

// The second half of an attention-in-attention block (arXiv 2104.09497, sections 3.2 and 3.3),
// fused with the first layer of the next block:
//   v = mean of t;  (p0, p1) = softmax(W2 relu(W1 v) / TEMPERATURE)      dynamic attention module
//   m = lrelu(p0 * k4(gated) + p1 * non(t))
//   out = x + last(m)
//   next_t = lrelu(first(out)), and its sums for the next block          (has_next)
// `k4` is 3x3. `non` is 3x3 in A2N (NON_REACH = 1) and 1x1 in A2N-M (NON_REACH = 0). `last` and
// `first` are 1x1. These four convolutions use zero padding, keep the number of channels and have
// no bias.
//
//   gated, t, x, out, next_t [DEPTH][H][W] vectors of 4 channels (Chw4c)
//   weights  mat4x4, column c = input channel c: k4 [DEPTH][DEPTH][9], non [DEPTH][DEPTH][its taps],
//            last [DEPTH][DEPTH], W1 [HIDDEN_BLOCKS][DEPTH], W2 [1][HIDDEN_BLOCKS],
//            first [DEPTH][DEPTH] (has_next)
//   stats    [stat_groups][DEPTH] vec4f: sums of t over parts of the image (attention/gate.wgsl)
//   partials [workgroups][DEPTH] vec4f: sums of next_t over each workgroup's pixels
//
// lib/exchange.wgsl explains which pixels and channels each invocation computes.
// The prelude (code that is put before this shader) defines E, E4, E4x4, DEPTH, TILE_COLUMNS,
// HIDDEN_BLOCKS, NON_REACH, TEMPERATURE and SLOPE.

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

// Code shared by kernels in which each workgroup computes a tile of TILE_COLUMNS x 8 pixels with
// all DEPTH blocks of channels. A workgroup has TILE_COLUMNS x DEPTH invocations. Invocation
// `(l, b)` computes block `b` of the eight pixels in column `l`. Invocations exchange values
// through workgroup memory.
// The prelude (code that is put before this shader) defines DEPTH and TILE_COLUMNS. Their product
// is at most 256.

const_assert DEPTH > 0u && TILE_COLUMNS * DEPTH <= 256u;
const PIXELS = 8u * TILE_COLUMNS;

var<workgroup> exchange: array<vec4f, PIXELS * DEPTH>;

// Adds up the argument `own` over all columns of the tile, separately for each block. Only the
// invocations in column 0 (`lane` 0) get the sum. Every invocation of the workgroup must call this
// function.
fn sum_of_lanes(lane: u32, block: u32, own: vec4f) -> vec4f {
  var sum = own;
  workgroupBarrier();
  exchange[block * TILE_COLUMNS + lane] = sum;
  workgroupBarrier();
  if lane == 0u {
    for (var i = 1u; i < TILE_COLUMNS; i++) {
      sum += exchange[block * TILE_COLUMNS + i];
    }
  }
  return sum;
}

// The products of map values and weights are f32. With HALF, they instead have the type of the maps
// and weights. If that type is f16, GPU hardware can compute two products at a time.
// The prelude (code that is put before this shader) defines E4, E4x4 and HALF.

alias P4 = vec4f;
alias P4x4 = mat4x4f;

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  stat_groups: u32,
  has_next: u32, // This is a uniform, so that the last block shares the other blocks' pipeline.
  pixels: u32, // The number of pixels that `stats` covers.
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gated: array<E4>;
@group(0) @binding(2) var<storage, read> t: array<E4>;
@group(0) @binding(3) var<storage, read> x: array<E4>;
@group(0) @binding(4) var<storage, read> weights: array<E4x4>;
@group(0) @binding(5) var<storage, read> stats: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out: array<E4>;
@group(0) @binding(7) var<storage, read_write> next_t: array<E4>;
@group(0) @binding(8) var<storage, read_write> partials: array<vec4f>;

const_assert HIDDEN_BLOCKS <= DEPTH;
const NON = DEPTH * DEPTH * 9u;
const LAST = NON + DEPTH * DEPTH * (1u + 8u * NON_REACH);
const W1 = LAST + DEPTH * DEPTH;
const W2 = W1 + HIDDEN_BLOCKS * DEPTH;
const FIRST = W2 + HIDDEN_BLOCKS;

var<workgroup> branch: vec2f;

// Writes the two branch weights to `branch`. Every invocation of the workgroup must call this
// function.
fn dynamic_weights(lane: u32, block: u32) {
  var sum = vec4f(0.0);
  for (var i = lane; i < params.stat_groups; i += TILE_COLUMNS) {
    sum += stats[i * DEPTH + block];
  }
  sum = sum_of_lanes(lane, block, sum);
  workgroupBarrier();
  if lane == 0u {
    exchange[block] = sum / f32(params.pixels);
  }
  workgroupBarrier();
  if lane == 0u && block < HIDDEN_BLOCKS {
    var hidden = vec4f(0.0);
    for (var i = 0u; i < DEPTH; i++) {
      hidden += mat4x4f(weights[W1 + block * DEPTH + i]) * exchange[i];
    }
    exchange[DEPTH + block] = relu(hidden);
  }
  workgroupBarrier();
  if lane == 0u && block == 0u {
    var z = vec4f(0.0);
    for (var i = 0u; i < HIDDEN_BLOCKS; i++) {
      z += mat4x4f(weights[W2 + i]) * exchange[DEPTH + i];
    }
    let e = exp((z.xy - max(z.x, z.y)) / TEMPERATURE);
    branch = e / (e.x + e.y);
  }
  workgroupBarrier();
}

@compute @workgroup_size(TILE_COLUMNS, DEPTH, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let left = group.x * TILE_COLUMNS + local.x;
  let row = (group.y + params.group_row) * STRIP;
  let block = local.y;
  let slot = block * PIXELS + local.x;
  let width = params.width;
  let height = params.height;
  let upsample = 1u;
  let in_width = width / upsample;
  let plane = in_width * (height / upsample);
  let at = (block * height + row) * width + left;
  let count = select(0u, min(STRIP, height - min(row, height)), left < width);
  let start = row;
  let extent = height;
  let across = left;
  let breadth = width;
  let at0 = min(max(start + 0u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in0 = start + 0u - 1u < extent;
  let at1 = min(max(start + 1u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in1 = start + 1u - 1u < extent;
  let at2 = min(max(start + 2u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in2 = start + 2u - 1u < extent;
  let at3 = min(max(start + 3u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in3 = start + 3u - 1u < extent;
  let at4 = min(max(start + 4u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in4 = start + 4u - 1u < extent;
  let at5 = min(max(start + 5u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in5 = start + 5u - 1u < extent;
  let at6 = min(max(start + 6u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in6 = start + 6u - 1u < extent;
  let at7 = min(max(start + 7u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in7 = start + 7u - 1u < extent;
  let at8 = min(max(start + 8u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in8 = start + 8u - 1u < extent;
  let at9 = min(max(start + 9u, 1u) - 1u, extent - 1u) / upsample * in_width;
  let in9 = start + 9u - 1u < extent;

  dynamic_weights(local.x, block);

  let in_blocks = DEPTH;
  var p0_0_0 = vec4f(0.0);
  var q0_0_0 = vec4f(0.0);
  var p0_0_1 = vec4f(0.0);
  var q0_0_1 = vec4f(0.0);
  var p0_0_2 = vec4f(0.0);
  var q0_0_2 = vec4f(0.0);
  var p0_0_3 = vec4f(0.0);
  var q0_0_3 = vec4f(0.0);
  var p0_0_4 = vec4f(0.0);
  var q0_0_4 = vec4f(0.0);
  var p0_0_5 = vec4f(0.0);
  var q0_0_5 = vec4f(0.0);
  var p0_0_6 = vec4f(0.0);
  var q0_0_6 = vec4f(0.0);
  var p0_0_7 = vec4f(0.0);
  var q0_0_7 = vec4f(0.0);
  for (var i = 0u; i < in_blocks; i++) {
    const SIDE = 3u;
    const TAPS = SIDE * SIDE;
    // The distances between the weight matrices of neighbouring taps, along a strip and across
    // strips.
    const ALONG_TAPS = SIDE;
    const ACROSS_TAPS = 1u;
    let base = i * plane;
    for (var k = 0u; k < 3u; k++)
    {
      let in_line = i32(across + k) - 1;
      let inside = in_line >= 0 && in_line < i32(breadth);
      let along = select(0u, u32(in_line), inside) / upsample;
      let line = base + along;
      let v0 = select(P4(), P4(gated[line + at0]), inside && in0);
      let v1 = select(P4(), P4(gated[line + at1]), inside && in1);
      let v2 = select(P4(), P4(gated[line + at2]), inside && in2);
      let v3 = select(P4(), P4(gated[line + at3]), inside && in3);
      let v4 = select(P4(), P4(gated[line + at4]), inside && in4);
      let v5 = select(P4(), P4(gated[line + at5]), inside && in5);
      let v6 = select(P4(), P4(gated[line + at6]), inside && in6);
      let v7 = select(P4(), P4(gated[line + at7]), inside && in7);
      let v8 = select(P4(), P4(gated[line + at8]), inside && in8);
      let v9 = select(P4(), P4(gated[line + at9]), inside && in9);
      {
        let taps = 0 + ((block + 0u) * in_blocks + i) * TAPS + (k - 0u) * ACROSS_TAPS;
        let w0 = P4x4(weights[taps + 0u * ALONG_TAPS]);
        let w1 = P4x4(weights[taps + 1u * ALONG_TAPS]);
        let w2 = P4x4(weights[taps + 2u * ALONG_TAPS]);
        p0_0_0 += w0 * v0;
        p0_0_0 += w1 * v1;
        p0_0_0 += w2 * v2;
        p0_0_1 += w0 * v1;
        p0_0_1 += w1 * v2;
        p0_0_1 += w2 * v3;
        p0_0_2 += w0 * v2;
        p0_0_2 += w1 * v3;
        p0_0_2 += w2 * v4;
        p0_0_3 += w0 * v3;
        p0_0_3 += w1 * v4;
        p0_0_3 += w2 * v5;
        p0_0_4 += w0 * v4;
        p0_0_4 += w1 * v5;
        p0_0_4 += w2 * v6;
        p0_0_5 += w0 * v5;
        p0_0_5 += w1 * v6;
        p0_0_5 += w2 * v7;
        p0_0_6 += w0 * v6;
        p0_0_6 += w1 * v7;
        p0_0_6 += w2 * v8;
        p0_0_7 += w0 * v7;
        p0_0_7 += w1 * v8;
        p0_0_7 += w2 * v9;
      }
    }
  }

  for (var i = 0u; i < in_blocks; i++) {
    const SIDE = 3u;
    const TAPS = SIDE * SIDE;
    // The distances between the weight matrices of neighbouring taps, along a strip and across
    // strips.
    const ALONG_TAPS = SIDE;
    const ACROSS_TAPS = 1u;
    let base = i * plane;
    for (var k = 0u; k < 3u; k++)
    {
      let in_line = i32(across + k) - 1;
      let inside = in_line >= 0 && in_line < i32(breadth);
      let along = select(0u, u32(in_line), inside) / upsample;
      let line = base + along;
      let v0 = select(P4(), P4(t[line + at0]), inside && in0);
      let v1 = select(P4(), P4(t[line + at1]), inside && in1);
      let v2 = select(P4(), P4(t[line + at2]), inside && in2);
      let v3 = select(P4(), P4(t[line + at3]), inside && in3);
      let v4 = select(P4(), P4(t[line + at4]), inside && in4);
      let v5 = select(P4(), P4(t[line + at5]), inside && in5);
      let v6 = select(P4(), P4(t[line + at6]), inside && in6);
      let v7 = select(P4(), P4(t[line + at7]), inside && in7);
      let v8 = select(P4(), P4(t[line + at8]), inside && in8);
      let v9 = select(P4(), P4(t[line + at9]), inside && in9);
      {
        let taps = NON + ((block + 0u) * in_blocks + i) * TAPS + (k - 0u) * ACROSS_TAPS;
        let w0 = P4x4(weights[taps + 0u * ALONG_TAPS]);
        let w1 = P4x4(weights[taps + 1u * ALONG_TAPS]);
        let w2 = P4x4(weights[taps + 2u * ALONG_TAPS]);
        q0_0_0 += w0 * v0;
        q0_0_0 += w1 * v1;
        q0_0_0 += w2 * v2;
        q0_0_1 += w0 * v1;
        q0_0_1 += w1 * v2;
        q0_0_1 += w2 * v3;
        q0_0_2 += w0 * v2;
        q0_0_2 += w1 * v3;
        q0_0_2 += w2 * v4;
        q0_0_3 += w0 * v3;
        q0_0_3 += w1 * v4;
        q0_0_3 += w2 * v5;
        q0_0_4 += w0 * v4;
        q0_0_4 += w1 * v5;
        q0_0_4 += w2 * v6;
        q0_0_5 += w0 * v5;
        q0_0_5 += w1 * v6;
        q0_0_5 += w2 * v7;
        q0_0_6 += w0 * v6;
        q0_0_6 += w1 * v7;
        q0_0_6 += w2 * v8;
        q0_0_7 += w0 * v7;
        q0_0_7 += w1 * v8;
        q0_0_7 += w2 * v9;
      }
    }
  }

  exchange[slot + 0u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_0 + branch.y * q0_0_0);
  p0_0_0 = vec4f(0.0);
  exchange[slot + 1u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_1 + branch.y * q0_0_1);
  p0_0_1 = vec4f(0.0);
  exchange[slot + 2u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_2 + branch.y * q0_0_2);
  p0_0_2 = vec4f(0.0);
  exchange[slot + 3u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_3 + branch.y * q0_0_3);
  p0_0_3 = vec4f(0.0);
  exchange[slot + 4u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_4 + branch.y * q0_0_4);
  p0_0_4 = vec4f(0.0);
  exchange[slot + 5u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_5 + branch.y * q0_0_5);
  p0_0_5 = vec4f(0.0);
  exchange[slot + 6u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_6 + branch.y * q0_0_6);
  p0_0_6 = vec4f(0.0);
  exchange[slot + 7u * TILE_COLUMNS] = leaky(vec4f(SLOPE), branch.x * p0_0_7 + branch.y * q0_0_7);
  p0_0_7 = vec4f(0.0);
  workgroupBarrier();
  for (var i = 0u; i < DEPTH; i++) {
    let w = mat4x4f(weights[LAST + block * DEPTH + i]);
    let source = i * PIXELS + local.x;
    p0_0_0 += w * exchange[source + 0u * TILE_COLUMNS];
    p0_0_1 += w * exchange[source + 1u * TILE_COLUMNS];
    p0_0_2 += w * exchange[source + 2u * TILE_COLUMNS];
    p0_0_3 += w * exchange[source + 3u * TILE_COLUMNS];
    p0_0_4 += w * exchange[source + 4u * TILE_COLUMNS];
    p0_0_5 += w * exchange[source + 5u * TILE_COLUMNS];
    p0_0_6 += w * exchange[source + 6u * TILE_COLUMNS];
    p0_0_7 += w * exchange[source + 7u * TILE_COLUMNS];
  }

  if 0u < count {
    p0_0_0 += vec4f(x[at + 0u * width]);
    out[at + 0u * width] = E4(p0_0_0);
  }
  if 1u < count {
    p0_0_1 += vec4f(x[at + 1u * width]);
    out[at + 1u * width] = E4(p0_0_1);
  }
  if 2u < count {
    p0_0_2 += vec4f(x[at + 2u * width]);
    out[at + 2u * width] = E4(p0_0_2);
  }
  if 3u < count {
    p0_0_3 += vec4f(x[at + 3u * width]);
    out[at + 3u * width] = E4(p0_0_3);
  }
  if 4u < count {
    p0_0_4 += vec4f(x[at + 4u * width]);
    out[at + 4u * width] = E4(p0_0_4);
  }
  if 5u < count {
    p0_0_5 += vec4f(x[at + 5u * width]);
    out[at + 5u * width] = E4(p0_0_5);
  }
  if 6u < count {
    p0_0_6 += vec4f(x[at + 6u * width]);
    out[at + 6u * width] = E4(p0_0_6);
  }
  if 7u < count {
    p0_0_7 += vec4f(x[at + 7u * width]);
    out[at + 7u * width] = E4(p0_0_7);
  }

  if params.has_next != 0u {
    workgroupBarrier();
    exchange[slot + 0u * TILE_COLUMNS] = p0_0_0;
    q0_0_0 = vec4f(0.0);
    exchange[slot + 1u * TILE_COLUMNS] = p0_0_1;
    q0_0_1 = vec4f(0.0);
    exchange[slot + 2u * TILE_COLUMNS] = p0_0_2;
    q0_0_2 = vec4f(0.0);
    exchange[slot + 3u * TILE_COLUMNS] = p0_0_3;
    q0_0_3 = vec4f(0.0);
    exchange[slot + 4u * TILE_COLUMNS] = p0_0_4;
    q0_0_4 = vec4f(0.0);
    exchange[slot + 5u * TILE_COLUMNS] = p0_0_5;
    q0_0_5 = vec4f(0.0);
    exchange[slot + 6u * TILE_COLUMNS] = p0_0_6;
    q0_0_6 = vec4f(0.0);
    exchange[slot + 7u * TILE_COLUMNS] = p0_0_7;
    q0_0_7 = vec4f(0.0);
    workgroupBarrier();
    for (var i = 0u; i < DEPTH; i++) {
      let w = mat4x4f(weights[FIRST + block * DEPTH + i]);
      let source = i * PIXELS + local.x;
      q0_0_0 += w * exchange[source + 0u * TILE_COLUMNS];
      q0_0_1 += w * exchange[source + 1u * TILE_COLUMNS];
      q0_0_2 += w * exchange[source + 2u * TILE_COLUMNS];
      q0_0_3 += w * exchange[source + 3u * TILE_COLUMNS];
      q0_0_4 += w * exchange[source + 4u * TILE_COLUMNS];
      q0_0_5 += w * exchange[source + 5u * TILE_COLUMNS];
      q0_0_6 += w * exchange[source + 6u * TILE_COLUMNS];
      q0_0_7 += w * exchange[source + 7u * TILE_COLUMNS];
    }

    var sum = vec4f(0.0);
    if 0u < count {
      q0_0_0 = leaky(vec4f(SLOPE), q0_0_0);
      sum += q0_0_0;
      next_t[at + 0u * width] = E4(q0_0_0);
    }
    if 1u < count {
      q0_0_1 = leaky(vec4f(SLOPE), q0_0_1);
      sum += q0_0_1;
      next_t[at + 1u * width] = E4(q0_0_1);
    }
    if 2u < count {
      q0_0_2 = leaky(vec4f(SLOPE), q0_0_2);
      sum += q0_0_2;
      next_t[at + 2u * width] = E4(q0_0_2);
    }
    if 3u < count {
      q0_0_3 = leaky(vec4f(SLOPE), q0_0_3);
      sum += q0_0_3;
      next_t[at + 3u * width] = E4(q0_0_3);
    }
    if 4u < count {
      q0_0_4 = leaky(vec4f(SLOPE), q0_0_4);
      sum += q0_0_4;
      next_t[at + 4u * width] = E4(q0_0_4);
    }
    if 5u < count {
      q0_0_5 = leaky(vec4f(SLOPE), q0_0_5);
      sum += q0_0_5;
      next_t[at + 5u * width] = E4(q0_0_5);
    }
    if 6u < count {
      q0_0_6 = leaky(vec4f(SLOPE), q0_0_6);
      sum += q0_0_6;
      next_t[at + 6u * width] = E4(q0_0_6);
    }
    if 7u < count {
      q0_0_7 = leaky(vec4f(SLOPE), q0_0_7);
      sum += q0_0_7;
      next_t[at + 7u * width] = E4(q0_0_7);
    }
    sum = sum_of_lanes(local.x, block, sum);
    if local.x == 0u {
      let index = (group.y + params.group_row) * groups.x + group.x;
      partials[index * DEPTH + block] = sum;
    }
  }
}
