alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const PARTS = 2u;
const CHANNEL_END0 = 6u;
const CHANNEL_END1 = 9u;
const CHANNEL_END2 = 9u;
const CHANNEL_END3 = 9u;
const CHANNEL_END4 = 9u;

// Concatenates up to five feature maps: `y` has the channels of `x0`, then those of `x1`, and so
// on. Convolutions read the maps directly, so this kernel runs only if something other than a
// convolution reads the result.
//   x0 .. x4 [ceil(C_p / 4)][H][W], y [BLOCKS][H][W], vectors of 4 channels (Chw4c).
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// workgroup's `z` coordinate selects the block of 4 output channels. The prelude (code that is put
// before this shader) defines the types E and E4 and the constants PARTS (the number of maps) and
// CHANNEL_END0 to CHANNEL_END4 (the number of channels up to the end of each map).

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x0: array<E4>;
@group(0) @binding(2) var<storage, read> x1: array<E4>;
@group(0) @binding(3) var<storage, read> x2: array<E4>;
@group(0) @binding(4) var<storage, read> x3: array<E4>;
@group(0) @binding(5) var<storage, read> x4: array<E4>;
@group(0) @binding(6) var<storage, read_write> y: array<E4>;

fn channel(c: u32, plane: u32, pixel: u32) -> E {
  if c < CHANNEL_END0 {
    return x0[(c >> 2u) * plane + pixel][c & 3u];
  }
  if PARTS > 1u && c < CHANNEL_END1 {
    let i = c - CHANNEL_END0;
    return x1[(i >> 2u) * plane + pixel][i & 3u];
  }
  if PARTS > 2u && c < CHANNEL_END2 {
    let i = c - CHANNEL_END1;
    return x2[(i >> 2u) * plane + pixel][i & 3u];
  }
  if PARTS > 3u && c < CHANNEL_END3 {
    let i = c - CHANNEL_END2;
    return x3[(i >> 2u) * plane + pixel][i & 3u];
  }
  if PARTS > 4u && c < CHANNEL_END4 {
    let i = c - CHANNEL_END3;
    return x4[(i >> 2u) * plane + pixel][i & 3u];
  }
  return E(0.0);
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
  let c = group.z * 4u;
  y[group.z * plane + pixel] = E4(
    channel(c, plane, pixel),
    channel(c + 1u, plane, pixel),
    channel(c + 2u, plane, pixel),
    channel(c + 3u, plane, pixel),
  );
}
