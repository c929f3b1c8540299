alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const QUAD = false;
const WEIGHTS_BINDING = 3u;
const DIRECT = 4u;
const INNER = 4u;
const BLOCKS = 12u;
const STRIP = 2u;
const ACTIVATION_NONE = 0u;
const ACTIVATION_LEAKY_RELU = 1u;
const ACTIVATION_RELU = 2u;
const ACTIVATION_SIGMOID = 3u;
const ACTIVATION_SILU = 4u;
const ACTIVATION_GELU = 5u;
const ACTIVATION_MISH = 6u;
const ACTIVATION_CENTRED_SIGMOID = 7u;
const ACTIVATION_PRELU = 8u;

// Multiplies `map` by a gate, which is computed from `a` and the enlargement of a smaller map, `x`:
//   y = map * sigmoid( G (resize(x) + D a + d) + g ), where D and G are 1x1 convolutions
//   x       [INNER][in_height][in_width] vectors of 4 channels (Chw4c); resize is bilinear
//   a       [DIRECT][H][W]
//   weights 4 x 4 matrices (transformer/matrices.wgsl): D [INNER][DIRECT], G [BLOCKS][INNER]
//   bias    d [INNER], g [BLOCKS]
//   map, y  [BLOCKS][H][W]
// One invocation computes all channels of STRIP pixels that are 8 columns apart. Workgroups have 8
// x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines E, E4, E4x4, BLOCKS, INNER, DIRECT,
// STRIP and QUAD.

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

// Loads 4 x 4 matrices in the layout of conv/weights.wgsl, for kernels whose invocations multiply
// each matrix by several pixels. With QUAD, the four lanes of a subgroup quad load a matrix
// together: each lane loads one column. All four lanes must therefore request the same matrix.
// The prelude (code that is put before this shader) defines QUAD and WEIGHTS_BINDING.

@group(0) @binding(3) var<storage, read> weights: array<E4x4>;

fn matrix(at: u32, lane: u32) -> mat4x4f {
  return mat4x4f(weights[at]);
}

fn times(m: mat4x4f, v: vec4f) -> vec4f {
  return m * v;
}

fn ordered(v: vec4f, lane: u32) -> vec4f {
  return v;
}

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  in_width: u32,
  in_height: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> a: array<E4>;
@group(0) @binding(4) var<storage, read> bias: array<E4>;
@group(0) @binding(5) var<storage, read> map: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

// Returns one pixel of one block of an enlarged map. This map is `x`, enlarged to `width` x
// `height` pixels. The enlargement is bilinear, with half-pixel centres and clamped edges. `x` is
// [blocks][in_height][in_width].

fn enlarged(block: u32, row: u32, col: u32) -> vec4f {
  let size = vec2f(f32(params.in_width), f32(params.in_height));
  let scale = size / vec2f(f32(params.width), f32(params.height));
  let s = max((vec2f(f32(col), f32(row)) + 0.5) * scale - 0.5, vec2f(0.0));
  let lo = vec2u(s);
  let hi = min(lo + 1u, vec2u(params.in_width - 1u, params.in_height - 1u));
  let f = s - vec2f(lo);
  let base = block * params.in_height;
  let top = (base + lo.y) * params.in_width;
  let bottom = (base + hi.y) * params.in_width;
  let upper = mix(vec4f(x[top + lo.x]), vec4f(x[top + hi.x]), f.x);
  let lower = mix(vec4f(x[bottom + lo.x]), vec4f(x[bottom + hi.x]), f.x);
  return mix(upper, lower, f.y);
}

@compute @workgroup_size(8, 8, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  const lane = 0u;
  let plane = params.width * params.height;
  let row = (group.y + params.group_row) * 8u + local.y;
  let clamped = min(row, params.height - 1u);
  let left0 = group.x * 8u * STRIP + 0u * 8u + local.x;
  let is0 = left0 < params.width && row < params.height;
  let col0 = min(left0, params.width - 1u);
  let at0 = clamped * params.width + col0;
  let a0_0 = vec4f(a[0u * plane + at0]);
  let a0_1 = vec4f(a[1u * plane + at0]);
  let a0_2 = vec4f(a[2u * plane + at0]);
  let a0_3 = vec4f(a[3u * plane + at0]);
  let left1 = group.x * 8u * STRIP + 1u * 8u + local.x;
  let is1 = left1 < params.width && row < params.height;
  let col1 = min(left1, params.width - 1u);
  let at1 = clamped * params.width + col1;
  let a1_0 = vec4f(a[0u * plane + at1]);
  let a1_1 = vec4f(a[1u * plane + at1]);
  let a1_2 = vec4f(a[2u * plane + at1]);
  let a1_3 = vec4f(a[3u * plane + at1]);
  var v0_0 = vec4f(0.0);
  var v1_0 = vec4f(0.0);
  {
    let w = matrix(0u * DIRECT + 0u, lane);
    v0_0 += times(w, a0_0);
    v1_0 += times(w, a1_0);
  }
  {
    let w = matrix(0u * DIRECT + 1u, lane);
    v0_0 += times(w, a0_1);
    v1_0 += times(w, a1_1);
  }
  {
    let w = matrix(0u * DIRECT + 2u, lane);
    v0_0 += times(w, a0_2);
    v1_0 += times(w, a1_2);
  }
  {
    let w = matrix(0u * DIRECT + 3u, lane);
    v0_0 += times(w, a0_3);
    v1_0 += times(w, a1_3);
  }
  v0_0 = ordered(v0_0, lane) + vec4f(bias[0u]) + enlarged(0u, clamped, col0);
  v1_0 = ordered(v1_0, lane) + vec4f(bias[0u]) + enlarged(0u, clamped, col1);
  var v0_1 = vec4f(0.0);
  var v1_1 = vec4f(0.0);
  {
    let w = matrix(1u * DIRECT + 0u, lane);
    v0_1 += times(w, a0_0);
    v1_1 += times(w, a1_0);
  }
  {
    let w = matrix(1u * DIRECT + 1u, lane);
    v0_1 += times(w, a0_1);
    v1_1 += times(w, a1_1);
  }
  {
    let w = matrix(1u * DIRECT + 2u, lane);
    v0_1 += times(w, a0_2);
    v1_1 += times(w, a1_2);
  }
  {
    let w = matrix(1u * DIRECT + 3u, lane);
    v0_1 += times(w, a0_3);
    v1_1 += times(w, a1_3);
  }
  v0_1 = ordered(v0_1, lane) + vec4f(bias[1u]) + enlarged(1u, clamped, col0);
  v1_1 = ordered(v1_1, lane) + vec4f(bias[1u]) + enlarged(1u, clamped, col1);
  var v0_2 = vec4f(0.0);
  var v1_2 = vec4f(0.0);
  {
    let w = matrix(2u * DIRECT + 0u, lane);
    v0_2 += times(w, a0_0);
    v1_2 += times(w, a1_0);
  }
  {
    let w = matrix(2u * DIRECT + 1u, lane);
    v0_2 += times(w, a0_1);
    v1_2 += times(w, a1_1);
  }
  {
    let w = matrix(2u * DIRECT + 2u, lane);
    v0_2 += times(w, a0_2);
    v1_2 += times(w, a1_2);
  }
  {
    let w = matrix(2u * DIRECT + 3u, lane);
    v0_2 += times(w, a0_3);
    v1_2 += times(w, a1_3);
  }
  v0_2 = ordered(v0_2, lane) + vec4f(bias[2u]) + enlarged(2u, clamped, col0);
  v1_2 = ordered(v1_2, lane) + vec4f(bias[2u]) + enlarged(2u, clamped, col1);
  var v0_3 = vec4f(0.0);
  var v1_3 = vec4f(0.0);
  {
    let w = matrix(3u * DIRECT + 0u, lane);
    v0_3 += times(w, a0_0);
    v1_3 += times(w, a1_0);
  }
  {
    let w = matrix(3u * DIRECT + 1u, lane);
    v0_3 += times(w, a0_1);
    v1_3 += times(w, a1_1);
  }
  {
    let w = matrix(3u * DIRECT + 2u, lane);
    v0_3 += times(w, a0_2);
    v1_3 += times(w, a1_2);
  }
  {
    let w = matrix(3u * DIRECT + 3u, lane);
    v0_3 += times(w, a0_3);
    v1_3 += times(w, a1_3);
  }
  v0_3 = ordered(v0_3, lane) + vec4f(bias[3u]) + enlarged(3u, clamped, col0);
  v1_3 = ordered(v1_3, lane) + vec4f(bias[3u]) + enlarged(3u, clamped, col1);
  for (var o = 0u; o < BLOCKS; o++) {
    var t0 = vec4f(0.0);
    var t1 = vec4f(0.0);
    {
      let w = matrix(INNER * DIRECT + o * INNER + 0u, lane);
      t0 += times(w, v0_0);
      t1 += times(w, v1_0);
    }
    {
      let w = matrix(INNER * DIRECT + o * INNER + 1u, lane);
      t0 += times(w, v0_1);
      t1 += times(w, v1_1);
    }
    {
      let w = matrix(INNER * DIRECT + o * INNER + 2u, lane);
      t0 += times(w, v0_2);
      t1 += times(w, v1_2);
    }
    {
      let w = matrix(INNER * DIRECT + o * INNER + 3u, lane);
      t0 += times(w, v0_3);
      t1 += times(w, v1_3);
    }
    let shift = vec4f(bias[INNER + o]);
    if is0 {
      let gate = logistic(ordered(t0, lane) + shift);
      y[o * plane + at0] = E4(vec4f(map[o * plane + at0]) * gate);
    }
    if is1 {
      let gate = logistic(ordered(t1, lane) + shift);
      y[o * plane + at1] = E4(vec4f(map[o * plane + at1]) * gate);
    }
  }
}
