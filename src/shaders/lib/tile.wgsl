// Defines variables that locate an invocation's pixels (see lib/exchange.wgsl) in a map of
// `params.width` x `params.height` pixels. It also defines the variables that conv/product.wgsl
// needs to enlarge a map (nearest-neighbour) while reading it. `at` is the index of the
// invocation's first pixel, and `count` is the number of its pixels that are inside the map. Pixel
// `c` has the index `at + c * width` in the map and the index `slot + c * TILE_COLUMNS` in
// `exchange`.
//   upsample=FACTOR of the enlargement
let left = group.x * TILE_COLUMNS + local.x;
let row = (group.y + params.group_row) * STRIP;
let block = local.y;
let slot = block * PIXELS + local.x;
let width = params.width;
let height = params.height;
let upsample = {upsample}u;
let in_width = width / upsample;
let plane = in_width * (height / upsample);
let at = (block * height + row) * width + left;
let count = select(0u, min(STRIP, height - min(row, height)), left < width);
#import conv/strip reach=1
