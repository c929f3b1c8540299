// A depthwise K x K convolution with stride 1 and zero padding:
//   y[c] = act( sum_{ky,kx} w[c,ky,kx] * x[c, i+ky-K/2, j+kx-K/2] + b[c] )
//   x, y [BLOCKS][H][W]; weights [BLOCKS][K * K], bias [BLOCKS]; vectors of 4 channels (Chw4c)
// One invocation computes 4 channels of one pixel. Workgroups have 8 x 8 x 1 invocations. The
// grid's `z` selects the block. The prelude (code that is put before this shader) defines E, E4, K,
// ACT0 and SLOPE0.

#import lib/activation
#import lib/map

@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read> weights: array<E4>;
@group(0) @binding(3) var<storage, read> bias: array<E4>;
@group(0) @binding(4) var<storage, read_write> y: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  let base = group.z * params.height;
  var sum = vec4f(bias[group.z]);
  for (var ky = 0u; ky < K; ky++) {
    // Rows above the map and columns left of it wrap to huge numbers, so the comparison below
    // fails.
    let r = row + ky - K / 2u;
    if r >= params.height {
      continue;
    }
    for (var kx = 0u; kx < K; kx++) {
      let q = col + kx - K / 2u;
      if q < params.width {
        let w = vec4f(weights[(group.z * K + ky) * K + kx]);
        sum += w * vec4f(x[(base + r) * params.width + q]);
      }
    }
  }
  y[(base + row) * params.width + col] = E4(activate(ACT0, SLOPE0, sum));
}
