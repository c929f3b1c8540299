alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const FIRST = 12u;
const TIMES = 1u;
const COUNT = 36u;

// Copies channels of a map, starting with channel FIRST. `y` has TIMES copies of each of them:
//   y[c] = x[FIRST + c / TIMES]   for c < COUNT, otherwise 0
//   x [..][H][W], y [ceil(COUNT / 4)][H][W] vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the output block. The prelude (code that is put before this shader) defines
// the types E and E4 and the constants FIRST, TIMES and COUNT.

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

fn gather(c: u32, pixel: u32) -> E {
  if c >= COUNT {
    return E(0.0);
  }
  let source = FIRST + c / TIMES;
  return x[(source >> 2u) * params.width * params.height + pixel][source & 3u];
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }

  let pixel = row * params.width + col;
  let c = group.z * 4u;
  y[group.z * params.width * params.height + pixel] = E4(
    gather(c, pixel),
    gather(c + 1u, pixel),
    gather(c + 2u, pixel),
    gather(c + 3u, pixel),
  );
}
