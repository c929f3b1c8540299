alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const S = 2u;
const UNSHUFFLE = false;
const CHANNELS = 3u;

// The pixel shuffle (with PyTorch's channel order) and its inverse, as a gather:
//   shuffle    y[c, i, j] = x[c * S * S + (i mod S) * S + j mod S, i / S, j / S]
//   unshuffle  y[c * S * S + dy * S + dx, i, j] = x[c, i * S + dy, j * S + dx]
//   x, y [ceil(C / 4)][height][width] vectors of 4 channels (Chw4c), each with its own C and size
// One invocation computes 4 channels of one output pixel. Workgroups have 8 x 8 x 1 invocations.
// The grid's `z` selects the output block. The prelude (code that is put before this shader)
// defines the types E and E4 and the constants S (the factor), UNSHUFFLE and CHANNELS (the number
// of channels of `y`).

// The uniform of kernels that process one feature map.

struct Params {
  width: u32,
  height: u32,
  group_row: u32, // The first row of workgroups in this dispatch. Large maps take several dispatches.
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> y: array<E4>;

fn gather(c: u32, row: u32, col: u32) -> E {
  if c >= CHANNELS {
    return E(0.0);
  }
  if UNSHUFFLE {
    let w = params.width * S;
    let h = params.height * S;
    let channel = c / (S * S);
    let tap = c % (S * S);
    return x[((channel >> 2u) * h + row * S + tap / S) * w + col * S + tap % S][channel & 3u];
  }
  let w = params.width / S;
  let h = params.height / S;
  let channel = c * S * S + (row % S) * S + col % S;
  return x[((channel >> 2u) * h + row / S) * w + col / S][channel & 3u];
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let col = group.x * 8u + local.x;
  let row = (group.y + params.group_row) * 8u + local.y;
  if row >= params.height || col >= params.width {
    return;
  }

  let c = group.z * 4u;
  y[(group.z * params.height + row) * params.width + col] = E4(
    gather(c, row, col),
    gather(c + 1u, row, col),
    gather(c + 2u, row, col),
    gather(c + 3u, row, col),
  );
}
