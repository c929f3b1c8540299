// The pixels of an invocation of lib/exchange.wgsl in a map of the uniform's size, and the
// variables that conv/product.wgsl needs for a map that is read through a nearest enlargement.
//   upsample=FACTOR of the enlargement
//   at, count: index and number of the pixels to store; none below the lower edge
let left = group.x * COLUMNS;
let row = (group.y + params.group_row) * TILE_ROWS + local.x;
let block = local.y;
let slot = block * PIXELS + local.x * COLUMNS;
let width = params.width;
let height = params.height;
let upsample = {upsample}u;
let in_width = width / upsample;
let plane = in_width * (height / upsample);
let at = (block * height + row) * width + left;
let count = select(0u, min(COLUMNS, width - min(left, width)), row < height);
#import conv/columns reach=1
