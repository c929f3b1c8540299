// A K x K convolution at every STRIDE-th pixel, without padding:
//   y[o, i, j] = sum w[o,c,ky,kx] * x[c, STRIDE i + ky, STRIDE j + kx] + b[o]
//   x [IN_BLOCKS][in_height][in_width], y [OUT_BLOCKS][H][W] vectors of 4 channels (Chw4c)
//   weights [OUT_BLOCKS][IN_BLOCKS][K * K] matrices in the layout of conv/weights.wgsl
//   bias [OUT_BLOCKS]
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the output block. The prelude (code that is put before this shader) defines E,
// E4, E4x4, IN_BLOCKS, K and STRIDE.

struct Params {
  width: u32,
  height: u32,
  group_row: u32,
  in_width: u32,
  in_height: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4x4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  var sum = vec4f(bias[group.z]);
  for (var i = 0u; i < IN_BLOCKS; i++) {
    for (var ky = 0u; ky < K; ky++) {
      let line = (i * params.in_height + row * STRIDE + ky) * params.in_width + col * STRIDE;
      for (var kx = 0u; kx < K; kx++) {
        let w = mat4x4f(weights[((group.z * IN_BLOCKS + i) * K + ky) * K + kx]);
        sum += w * vec4f(x[line + kx]);
      }
    }
  }
  y[(group.z * params.height + row) * params.width + col] = E4(sum);
}
