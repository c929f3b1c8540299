alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const LENGTH = 2u;
const TEMPERATURE = 30.0f;

// Computes `y = softmax(x / TEMPERATURE)` for a vector `x` of LENGTH f32 values. `y` is padded with
// zeros to whole vec4f vectors. The vectors are short, so one invocation computes all elements.
// The prelude (code that is put before this shader) defines LENGTH and TEMPERATURE.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn main() {
  var largest = x[0];
  for (var i = 1u; i < LENGTH; i++) {
    largest = max(largest, x[i]);
  }
  var sum = 0.0;
  for (var i = 0u; i < LENGTH; i++) {
    sum += exp((x[i] - largest) / TEMPERATURE);
  }
  for (var i = 0u; i < (LENGTH + 3u) / 4u * 4u; i++) {
    y[i] = select(0.0, exp((x[min(i, LENGTH - 1u)] - largest) / TEMPERATURE) / sum, i < LENGTH);
  }
}
