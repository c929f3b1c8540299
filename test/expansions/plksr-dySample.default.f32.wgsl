alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const SCALE = 4u;
const GROUPS = 4u;
const DEPTH = 4u;
const CHANNELS = 16u;
const SUM = 3u;

// Implements DySample (graph/plksrOp.ts). The kernel enlarges the map `z` by SCALE. It samples `z`
// bilinearly, at positions shifted by the learned offsets `o`.
//
//   z, o [..][H / SCALE][W / SCALE], y [..][H][W] vectors of 4 channels (Chw4c)
//
// The channels of `z` are divided into groups. If SUM is 0, each invocation computes one block of 4
// channels at one pixel, and the third dimension of the grid selects the block. Otherwise, each
// group has 4 channels, and each invocation adds up the samples of all groups at one pixel. It
// stores the first SUM channels of the result and fills the rest of the block with zeros.
// Workgroups have 8 x 8 x 1 invocations. The prelude (code that is put before this shader) defines
// E, E4, SCALE, GROUPS (the number of groups), DEPTH (the number of channels per group), CHANNELS
// and SUM.

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

@group(0) @binding(1) var<storage, read> z: array<E4>;
@group(0) @binding(2) var<storage, read> o: array<E4>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;

// The four pixels around a sample, as indices within a plane, and the sample's horizontal and
// vertical distances from the first of them.
struct Place {
  at: vec4u,
  part: vec2f,
}

fn offset(axis: u32, group: u32, phase: u32, pixel: u32, plane: u32) -> f32 {
  let c = (axis * GROUPS + group) * SCALE * SCALE + phase;
  return 0.5 * f32(o[(c >> 2u) * plane + pixel][c & 3u]);
}

fn place_of(group: u32, row: u32, col: u32, width: u32, height: u32) -> Place {
  let cell = vec2u(col / SCALE, row / SCALE);
  let phase = vec2u(col % SCALE, row % SCALE);
  let pixel = cell.y * width + cell.x;
  let number = phase.y * SCALE + phase.x;
  let learned = vec2f(
    offset(0u, group, number, pixel, width * height),
    offset(1u, group, number, pixel, width * height),
  );
  let start = (vec2f(phase) - 0.5 * f32(SCALE - 1u)) / f32(SCALE);
  let last = vec2u(width - 1u, height - 1u);
  let at = clamp(vec2f(cell) + learned + start, vec2f(0.0), vec2f(last));
  let near = min(vec2u(at), last);
  let far = min(near + 1u, last);
  return Place(
    vec4u(near.y * width + near.x, near.y * width + far.x, far.y * width + near.x, far.y * width + far.x),
    // `clamp` can drop NaN.
    keep_nan(vec4f(learned, vec2f()), vec4f(at - vec2f(near), vec2f())).xy,
  );
}

fn sample(block: u32, plane: u32, place: Place) -> vec4f {
  let base = block * plane;
  let upper = mix(vec4f(z[base + place.at.x]), vec4f(z[base + place.at.y]), place.part.x);
  let lower = mix(vec4f(z[base + place.at.z]), vec4f(z[base + place.at.w]), place.part.x);
  return mix(upper, lower, place.part.y);
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }

  let width = params.width / SCALE;
  let height = params.height / SCALE;
  let plane = width * height;
  var sum = vec4f();
  for (var q = 0u; q < GROUPS; q++) {
    sum += sample(q, plane, place_of(q, row, col, width, height));
  }
  sum = select(vec4f(), sum, vec4u(0u, 1u, 2u, 3u) < vec4u(SUM));
  y[(group.z * params.height + row) * params.width + col] = E4(sum);
}
