// Where an invocation of lib/exchange.wgsl stands, for a map of the size of the uniform; what
// conv/product.wgsl wants of a map read through a nearest enlargement by upsample=FACTOR.
//   at, count: index and number of the pixels to store, none below the lower edge
let left = group.x * COLUMNS;
let row = (group.y + params.group_row) * LANES + local.x;
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
