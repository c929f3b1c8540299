alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const CHANNELS = 64u;
const BLOCKS = 16u;
const DEPTH = 16u;
const NORM = true;
const EPSILON = 0.000009999999747378752f;

// Computes a factor and a shift for each channel from means over groups of DEPTH channels:
//   NORM false: y[c] = (1, -m),                            m = mean of v over c's group
//   NORM true:  y[c] = (weight[c] / sqrt(m + EPSILON), bias[c])
//   v [BLOCKS] vec4f, norm [2][BLOCKS] vec4f: weights, then biases, read only if NORM is true
//   y [4 BLOCKS] vec2f, zeros for absent channels: operand p of OP_AFFINE in maps/pointwise.wgsl
// There is one workgroup of 64 invocations.
// The prelude (code that is put before this shader) defines CHANNELS, BLOCKS, DEPTH, NORM and
// EPSILON.

@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var c = lane; c < 4u * BLOCKS; c += 64u) {
    if c >= CHANNELS {
      y[c] = vec2f();
      continue;
    }
    var sum = 0.0;
    for (var i = c / DEPTH * DEPTH; i < (c / DEPTH + 1u) * DEPTH; i++) {
      sum += v[i];
    }
    let mean = sum / f32(DEPTH);
    if NORM {
      y[c] = vec2f(norm[c] * inverseSqrt(mean + EPSILON), norm[4u * BLOCKS + c]);
    } else {
      y[c] = vec2f(1.0, -mean);
    }
  }
}
