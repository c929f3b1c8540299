alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 9u;
const BLOCKS = 3u;
const GATE = 3u;

// Applies the gate of adaptive attention (arXiv 2203.03619) to the logits of each pixel, then
// computes a softmax over the channels (keys). `a` contains the logits, and `b` contains the mask
// logits. The result is the softmax of:
//   GATE_NONE     a
//   GATE_ZERO     a where b > 0, otherwise 0
//   GATE_EXCLUDE  a over the keys with b > 0; all other keys get zero
//   GATE_SOFT     a * (softmax of b over the keys)
//   GATE_COLUMNS  a * (softmax of b over the pixels of a row), as in the authors' released code
//   a, b, y [BLOCKS][height][width] vectors of 4 channels (Chw4c)
// Each invocation processes one pixel. Workgroups have 8 x 8 invocations.
// The prelude (code that is put before this shader) defines the type E4 and the constants CHANNELS,
// BLOCKS and GATE.

const GATE_NONE = 0u;
const GATE_ZERO = 1u;
const GATE_EXCLUDE = 2u;
const GATE_SOFT = 3u;
const GATE_COLUMNS = 4u;
const LOWEST = -3.0e38;

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

// Returns NaN where `v` is NaN, otherwise `result`, which was computed from `v`. This is needed
// because `max`, `min`, `clamp` and comparisons can drop NaN. The function tests the bits, because
// a compiler may assume that floats are finite.
fn keep_nan(v: vec4f, result: vec4f) -> vec4f {
  return select(result, v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

@group(0) @binding(1) var<storage, read> a: array<E4>;
@group(0) @binding(2) var<storage, read> b: array<E4>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;

fn highest(v: vec4f) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}

fn present(block: u32) -> vec4<bool> {
  return vec4u(block * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(CHANNELS);
}

// Computes the softmax of `b` over the pixels of a row, for each channel of a block. Returns its
// values for one pixel. The caller multiplies the logits by the result.
fn columns(block: u32, row: u32, col: u32) -> vec4f {
  let first = (block * params.height + row) * params.width;
  var top = vec4f(LOWEST);
  for (var x = 0u; x < params.width; x++) {
    top = max(top, vec4f(b[first + x]));
  }
  var total = vec4f(0.0);
  for (var x = 0u; x < params.width; x++) {
    total += exp(vec4f(b[first + x]) - top);
  }
  return exp(vec4f(b[first + col]) - top) / total;
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }

  let plane = params.width * params.height;
  let pixel = row * params.width + col;

  var mask_top = LOWEST;
  var mask_total = 0.0;
  if GATE == GATE_SOFT {
    for (var i = 0u; i < BLOCKS; i++) {
      let v = select(vec4f(LOWEST), vec4f(b[i * plane + pixel]), present(i));
      mask_top = max(mask_top, highest(v));
    }
    for (var i = 0u; i < BLOCKS; i++) {
      let v = select(vec4f(LOWEST), vec4f(b[i * plane + pixel]), present(i));
      mask_total += dot(exp(v - mask_top), vec4f(1.0));
    }
  }

  var top = LOWEST;
  var total = 0.0;
  for (var i = 0u; i < BLOCKS; i++) {
    let at = i * plane + pixel;
    let v = gated(i, at, row, col, mask_top, mask_total);
    let next = max(top, highest(v));
    total = total * exp(top - next) + dot(select(vec4f(0.0), exp(v - next), v > vec4f(LOWEST)), vec4f(1.0));
    top = next;
  }
  for (var i = 0u; i < BLOCKS; i++) {
    let at = i * plane + pixel;
    let v = gated(i, at, row, col, mask_top, mask_total);
    y[at] = E4(keep_nan(v, select(vec4f(0.0), exp(v - top) / max(total, 1e-30), v > vec4f(LOWEST))));
  }
}

fn gated(block: u32, at: u32, row: u32, col: u32, mask_top: f32, mask_total: f32) -> vec4f {
  var v = vec4f(a[at]);
  let m = vec4f(b[at]);
  switch GATE {
    case GATE_ZERO: { v = keep_nan(m, select(vec4f(0.0), v, m > vec4f(0.0))); }
    case GATE_EXCLUDE: { v = keep_nan(m, select(vec4f(LOWEST), v, m > vec4f(0.0))); }
    case GATE_SOFT: { v *= exp(m - mask_top) / mask_total; }
    case GATE_COLUMNS: { v *= columns(block, row, col); }
    default: {}
  }
  return select(vec4f(LOWEST), v, present(block));
}
