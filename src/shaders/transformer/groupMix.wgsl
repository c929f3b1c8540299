// Computes, for each pixel, the sum of its group's values, weighted by the pixel's scores
// (`groupMix` in graph/transformerOp.ts).
//   x      [..][H][W] vectors of 4 channels (Chw4c): values from channel FIRST on
//   scores [groups][HEADS][TOKENS][KEY_BLOCKS] vec4f
//   y      [ceil(CHANNELS / 4)][H][W]
// One workgroup of 64 invocations computes 4 channels of one group. Each invocation computes one
// pixel at a time. In the grid, `x` and `y` select the group, and `z` selects the output block. The
// prelude (code that is put before this shader) defines E, E4, CHANNELS, FIRST, DEPTH (the number
// of channels per head), PER_PIXEL (the number of value channels per pixel of `x`), HEADS, TOKENS,
// KEYS, KEY_BLOCKS and the constants that transformer/groupKeys uses.

#import lib/groups
#import lib/map
#import transformer/groupKeys

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> scores: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let place = vec2u(group.x, group.y + params.group_row);
  let number = place.y * groups.x + place.x;
  let plane = params.width * params.height;
  for (var i = lane; i < TOKENS; i += 64u) {
    let to = group_pixel(place, i, params.width, params.height);
    if to == ABSENT {
      continue;
    }
    var sum = vec4f(0.0);
    for (var l = 0u; l < 4u; l++) {
      let c = group.z * 4u + l;
      if c >= CHANNELS {
        continue;
      }
      let source = FIRST + c % PER_PIXEL;
      let base = (source >> 2u) * plane;
      let row = ((number * HEADS + c / DEPTH) * TOKENS + i) * KEY_BLOCKS;
      for (var j = 0u; j < KEYS; j++) {
        let at = key_position(j, c / PER_PIXEL);
        let pixel = group_pixel(place, at, params.width, params.height);
        if pixel != ABSENT {
          sum[l] += scores[row + (j >> 2u)][j & 3u] * f32(x[base + pixel][source & 3u]);
        }
      }
    }
    y[group.z * plane + to] = E4(sum);
  }
}
