// Adds a tile's result to the sums over all tiles. Also writes the mean at each pixel of the tile's
// core, which no later tile covers.
//
//   x     [height][map_width] vectors: red, green, blue (Chw4c)
//   band  [band_rows][band_width] vec4f: for each pixel, the sums of red, green and blue, and the
//         number of tiles that have been added there
//   mean  [core_height][core_width] vectors: the means. The core starts at the tile's first pixel.
//
// Row r of the whole result is stored at row r % band_rows of the band. Earlier tiles cover only
// the first `fresh_row` rows and the first `fresh_col` columns of this tile. Elsewhere, the band
// can still contain the sums of an earlier row of the result, so the kernel overwrites them instead
// of adding to them. One invocation adds one pixel.
// Workgroups have 8 x 8 x 1 invocations.
// The prelude (code that is put before this shader) defines E and E4.

struct Params {
  width: u32,       // The width of the tile's result.
  height: u32,
  group_row: u32,
  map_width: u32,
  band_width: u32,
  band_rows: u32,
  col0: u32,        // The first column of the tile's result within the whole result.
  row0: u32,
  fresh_col: u32,
  fresh_row: u32,
  core_width: u32,
  core_height: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<E4>;
@group(0) @binding(2) var<storage, read_write> band: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> mean: array<E4>;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  #import lib/pixel side=8
  var sum = vec4f(vec4f(x[row * params.map_width + col]).xyz, 1.0);
  let at = (params.row0 + row) % params.band_rows * params.band_width + params.col0 + col;
  if row < params.fresh_row || col < params.fresh_col {
    sum += band[at];
  }
  band[at] = sum;
  if row < params.core_height && col < params.core_width {
    mean[row * params.core_width + col] = E4(vec4f(sum.xyz / sum.w, 0.0));
  }
}
