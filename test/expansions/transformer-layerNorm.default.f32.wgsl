alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 36u;
const BLOCKS = 9u;
const EPSILON = 0.000009999999747378752f;

// A layer norm over the channels of each pixel:
//   y[c] = (x[c] - mean) / sqrt(variance + EPSILON) * weight[c] + bias[c]
//   x, y [BLOCKS][H][W] vectors of 4 channels (Chw4c)
//   norm [2][BLOCKS] vec4f: weights, then biases, with zeros for absent channels
// One invocation computes all channels of one pixel. Workgroups have 8 x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines E, E4, CHANNELS, BLOCKS and EPSILON.

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> norm: array<vec4f>;
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
  for (var b = 0u; b < BLOCKS; b++) {
    sum += vec4f(x[b * plane + pixel]);
  }
  let mean = dot(sum, vec4f(1.0)) / f32(CHANNELS);
  var squares = 0.0;
  for (var b = 0u; b < BLOCKS; b++) {
    // The last block can have lanes without a channel. They do not count towards the variance.
    let present = vec4u(0u, 1u, 2u, 3u) + 4u * b < vec4u(CHANNELS);
    let d = select(vec4f(0.0), vec4f(x[b * plane + pixel]) - mean, present);
    squares += dot(d, d);
  }
  let factor = inverseSqrt(squares / f32(CHANNELS) + EPSILON);
  for (var b = 0u; b < BLOCKS; b++) {
    let unit = (vec4f(x[b * plane + pixel]) - mean) * factor;
    y[b * plane + pixel] = E4(unit * norm[b] + norm[BLOCKS + b]);
  }
}
