alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 180u;
const DEPTH = 30u;
const HEADS = 6u;
const SUMS = 5760u;
const FIRST = 360u;

// The last stage of attention between channels over a whole map:
//   y[c] = sum_d weights[c][d] v[d]   over the channels d of c's head
//   x       [..][H][W] vectors of 4 channels (Chw4c): values from channel FIRST on
//   weights [HEADS][DEPTH][DEPTH] f32
//   y       [ceil(CHANNELS / 4)][H][W]
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the output block. The prelude (code that is put before this shader) defines E,
// E4, CHANNELS, FIRST and DEPTH.

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }

  let plane = params.width * params.height;
  let pixel = row * params.width + col;
  var sum = vec4f(0.0);
  for (var l = 0u; l < 4u; l++) {
    let c = group.z * 4u + l;
    if c < CHANNELS {
      let first = FIRST + c / DEPTH * DEPTH;
      for (var d = 0u; d < DEPTH; d++) {
        let source = first + d;
        let v = f32(x[(source >> 2u) * plane + pixel][source & 3u]);
        sum[l] += weights[c * DEPTH + d] * v;
      }
    }
  }
  y[group.z * plane + pixel] = E4(sum);
}
