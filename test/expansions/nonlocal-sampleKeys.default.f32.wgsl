alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const FIRST = 0u;
const KEYS = 9u;
const ADD = true;
const STEP = 2u;

// Computes sparse attention to keys at learned offsets:
//   y = before + sum_t w[t] * x(pixel + (dy, dx)[t])   over the keys t = FIRST .. FIRST + KEYS - 1
// Sampling is bilinear, and pixels outside the map count as zero. Keys with a weight of zero are
// skipped. Without ADD, `before` is not read and counts as zero.
//   w       [ceil(N / 4)][height][width] vectors of 4 keys (Chw4c), for N keys in total
//   offsets in the same layout, 2 N channels, in pixels: for key t, channel t * STEP is dy, and
//           channel t * STEP + 1 is dx
//   x, before, y [BLOCKS][height][width] vectors of 4 channels
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the block of 4 channels. The prelude (code that is put before this shader)
// defines E, E4, FIRST, KEYS, STEP and ADD.

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

@group(0) @binding(1) var<storage, read> w: array<E4>;
@group(0) @binding(2) var<storage, read> offsets: array<E4>;
@group(0) @binding(3) var<storage, read> x: array<E4>;
@group(0) @binding(4) var<storage, read> before: array<E4>;
@group(0) @binding(5) var<storage, read_write> y: array<E4>;

fn corner(first: u32, row: i32, col: i32) -> vec4f {
  if row < 0 || col < 0 || row >= i32(params.height) || col >= i32(params.width) {
    return vec4f(0.0);
  }
  return vec4f(x[first + u32(row) * params.width + u32(col)]);
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
  let first = group.z * plane;
  var sum = vec4f(0.0);
  if ADD {
    sum = vec4f(before[first + pixel]);
  }
  // Sample positions are clamped to the range -2 to `far`, so that they fit in an i32. At both ends
  // of this range, the four pixels around the position are outside the map and count as zero.
  let far = vec2f(f32(params.height) + 2.0, f32(params.width) + 2.0);
  for (var t = FIRST; t < FIRST + KEYS; t++) {
    var weight = f32(w[(t >> 2u) * plane + pixel][t & 3u]);
    if weight == 0.0 {
      continue;
    }
    let c = t * STEP;
    let dy = f32(offsets[(c >> 2u) * plane + pixel][c & 3u]);
    let dx = f32(offsets[((c + 1u) >> 2u) * plane + pixel][(c + 1u) & 3u]);
    let lost = keep_nan(vec4f(dy, dx, 0.0, 0.0), vec4f(0.0));
    weight += lost.x + lost.y;
    let at = clamp(vec2f(f32(row) + dy, f32(col) + dx), vec2f(-2.0), far);
    let low = floor(at);
    let share = at - low;
    let i = vec2i(low);
    let upper = mix(corner(first, i.x, i.y), corner(first, i.x, i.y + 1), share.y);
    let lower = mix(corner(first, i.x + 1, i.y), corner(first, i.x + 1, i.y + 1), share.y);
    sum += weight * mix(upper, lower, share.x);
  }
  y[first + pixel] = E4(sum);
}
