enable f16;
alias E = f16;
alias E4 = vec4h;
alias E4x4 = mat4x4h;
const BLOCKS = 10u;
const CHUNK = 4096u;
const SQUARES = false;

// The first stage of global average pooling. It divides the pixels into chunks of CHUNK consecutive
// pixels and sums each chunk. With SQUARES, it sums the squares of the values instead.
//   x        [BLOCKS][H * W] vectors of 4 channels (Chw4c)
//   partials [chunks][BLOCKS] vec4f, chunks = ceil(H * W / CHUNK); always f32
// One workgroup of 64 invocations sums one chunk of one block with a tree reduction. Rounding
// errors therefore stay small, even for images of many megapixels. The grid is (chunks, 1, BLOCKS).
// A grid dimension has at most 65535 workgroups, so if there are more chunks, the grid has several
// rows along `y`.
// The prelude (code that is put before this shader) defines E, E4, BLOCKS, CHUNK and SQUARES.

struct Params {
  pixels: u32,      // The number of pixels, `H * W`.
  chunks: u32,
  group_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4f>;

const_assert CHUNK % 64u == 0u;

var<workgroup> sums: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = (group.y + params.group_row) * groups.x + group.x;
  let first = chunk * CHUNK;
  let last = min(first + CHUNK, params.pixels);
  var sum = vec4f(0.0);
  for (var i = first + lane; i < last; i += 64u) {
    let v = vec4f(x[group.z * params.pixels + i]);
    sum += select(v, v * v, SQUARES);
  }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if lane < half {
      sums[lane] += sums[lane + half];
    }
  }

  if lane == 0u && chunk < params.chunks {
    partials[chunk * BLOCKS + group.z] = sums[0];
  }
}
