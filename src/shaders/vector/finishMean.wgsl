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
  #import lib/total index=lane sum=sum
  return sums[0] / f32(pixels);
}

struct Params {
  pixels: u32,
  chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;
