alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const LENGTH_IN = 40u;
const LENGTH_OUT = 10u;
const BIAS = false;

// Multiplies a matrix by a vector:
//   y[o] = sum_i w[o, i] * x[i] + b[o]
//   x [LENGTH_IN], w [LENGTH_OUT][LENGTH_IN] row-major, bias [LENGTH_OUT] (used if BIAS is true),
//   y [ceil(LENGTH_OUT / 4) * 4] with zeros after the last element. All values are f32.
// The vectors are short (tens of elements), so a single workgroup of 64 invocations computes `y`.
// The prelude (code that is put before this shader) defines LENGTH_IN, LENGTH_OUT and BIAS.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var o = lane; o < (LENGTH_OUT + 3u) / 4u * 4u; o += 64u) {
    var sum = 0.0;
    if o < LENGTH_OUT {
      for (var i = 0u; i < LENGTH_IN; i++) {
        sum += w[o * LENGTH_IN + i] * x[i];
      }
      if BIAS {
        sum += bias[o];
      }
    }
    y[o] = sum;
  }
}
