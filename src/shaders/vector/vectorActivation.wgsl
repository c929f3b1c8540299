// Computes `y = act(x)` for a vector `x` of f32 values, padded to whole vec4f vectors. There is one
// workgroup of 64 invocations, and each invocation computes one vec4f at a time.
// The prelude (code that is put before this shader) defines BLOCKS, ACT0 and SLOPE0.

#import lib/activation

@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < BLOCKS; i += 64u) {
    y[i] = activate(ACT0, SLOPE0, x[i]);
  }
}
