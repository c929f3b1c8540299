alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const QUAD = false;
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
const ACT0 = 5u;
const SLOPE0 = 0.0f;

// A 3x3 depthwise convolution with an activation, and the sums of its result over the pixels of
// each workgroup:
//   y[c] = act( sum_{ky,kx} w[c,ky,kx] * x[c, i+ky-1, j+kx-1] + b[c] )
//   x, y     [BLOCKS][H][W] vectors of 4 channels (Chw4c); weights [BLOCKS][9], bias [BLOCKS]
//   partials [workgroups][BLOCKS] vec4f: sums over 8 columns x (8 STRIP) rows
// One invocation computes 4 channels of STRIP pixels in a column. Workgroups have 8 x 8 x 1
// invocations. The workgroup's `z` coordinate selects the block of 4 channels. The prelude (code
// that is put before this shader) defines E, E4, BLOCKS, STRIP, ACT0 and SLOPE0.

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

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;
@group(0) @binding(5) var<storage, read_write> partials: array<vec4f>;

var<workgroup> sums: array<vec4f, 64>;

@compute @workgroup_size(8, 8, 1)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let width = params.width;
  let height = params.height;
  let left = group.x * 8u + local.x;
  let group_row = group.y + params.group_row;
  let top = (group_row * 8u + local.y) * STRIP;
  let first = group.z * width * height;
  let in_row0 = top + 0u - 1u < height;
  let row0 = first + min(max(top + 0u, 1u) - 1u, height - 1u) * width;
  let in_row1 = top + 1u - 1u < height;
  let row1 = first + min(max(top + 1u, 1u) - 1u, height - 1u) * width;
  let in_row2 = top + 2u - 1u < height;
  let row2 = first + min(max(top + 2u, 1u) - 1u, height - 1u) * width;
  let in_row3 = top + 3u - 1u < height;
  let row3 = first + min(max(top + 3u, 1u) - 1u, height - 1u) * width;
  var sum0 = vec4f(bias[group.z]);
  var sum1 = vec4f(bias[group.z]);
  for (var j = 0u; j < 3u; j++) {
    let in_col = left + j - 1u < width;
    let col = min(max(left + j, 1u) - 1u, width - 1u);
    let w0 = vec4f(weights[group.z * 9u + 0u * 3u + j]);
    let w1 = vec4f(weights[group.z * 9u + 1u * 3u + j]);
    let w2 = vec4f(weights[group.z * 9u + 2u * 3u + j]);
    let p0 = select(vec4f(0.0), vec4f(x[row0 + col]), in_row0 && in_col);
    let p1 = select(vec4f(0.0), vec4f(x[row1 + col]), in_row1 && in_col);
    let p2 = select(vec4f(0.0), vec4f(x[row2 + col]), in_row2 && in_col);
    let p3 = select(vec4f(0.0), vec4f(x[row3 + col]), in_row3 && in_col);
    sum0 += w0 * p0;
    sum0 += w1 * p1;
    sum0 += w2 * p2;
    sum1 += w0 * p1;
    sum1 += w1 * p2;
    sum1 += w2 * p3;
  }
  var total = vec4f(0.0);
  if left < width && top + 0u < height {
    let v = activate(ACT0, SLOPE0, sum0);
    y[first + (top + 0u) * width + left] = E4(v);
    total += v;
  }
  if left < width && top + 1u < height {
    let v = activate(ACT0, SLOPE0, sum1);
    y[first + (top + 1u) * width + left] = E4(v);
    total += v;
  }
  sums[index] = total;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if index < half {
      sums[index] += sums[index + half];
    }
  }

  if index == 0u {
    partials[(group_row * groups.x + group.x) * BLOCKS + group.z] = sums[0];
  }
}
