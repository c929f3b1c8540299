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

#import lib/map
#import lib/nan

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
  #import lib/pixel side=8
  let width = params.width / SCALE;
  let height = params.height / SCALE;
  let plane = width * height;
  var sum = vec4f();
  #if SUM
    for (var q = 0u; q < GROUPS; q++) {
      sum += sample(q, plane, place_of(q, row, col, width, height));
    }
    sum = select(vec4f(), sum, vec4u(0u, 1u, 2u, 3u) < vec4u(SUM));
  #else
    for (var l = 0u; l < 4u; l++) {
      let c = group.z * 4u + l;
      if c < CHANNELS {
        sum[l] = sample(group.z, plane, place_of(c / DEPTH, row, col, width, height))[l];
      }
    }
  #end
  y[(group.z * params.height + row) * params.width + col] = E4(sum);
}
