alias E = f32;
alias E4 = vec4f;
alias E4x4 = mat4x4f;
const BLOCKS = 10u;

// The second stage of global average pooling:
//   mean = (sum of partials) / (H * W)
//   partials [chunks][BLOCKS] vec4f, mean [BLOCKS] vec4f (a vector of 4 * BLOCKS f32)
// One workgroup of 64 invocations computes one block. The grid is (BLOCKS, 1, 1).
// The prelude (code that is put before this shader) defines BLOCKS.

// Computes the mean of one block of channels from partial sums such as those of poolPartial.wgsl.
// It uses a tree reduction over one workgroup of 64 invocations. Every invocation must call this
// function. Only invocation 0 gets a valid result.
var<workgroup> sums: array<vec4f, 64>;

fn finish_mean(block: u32, chunks: u32, pixels: u32, lane: u32) -> vec4f {
  var sum = vec4f(0.0);
  for (var i = lane; i < chunks; i += 64u) {
    sum += partials[i * BLOCKS + block];
  }
  workgroupBarrier();
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if lane < half {
      sums[lane] += sums[lane + half];
    }
  }

  return sums[0] / f32(pixels);
}

struct Params {
  pixels: u32,
  chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;

@group(0) @binding(2) var<storage, read_write> mean: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let value = finish_mean(group.x, params.chunks, params.pixels, lane);
  if lane == 0u {
    mean[group.x] = value;
  }
}
