// Applies a 1x1 convolution to the values in `exchange` (lib/exchange.wgsl) and adds the products
// to the sums.
//   sums=PREFIX of the sums; first=INDEX of the first of the [DEPTH][DEPTH] weight matrices
for (var i = 0u; i < DEPTH; i++) {
  let w = mat4x4f(weights[{first} + block * DEPTH + i]);
  let source = i * PIXELS + local.x;
  #for c in 0..STRIP
    {sums}0_0_{c} += w * exchange[source + {c}u * TILE_COLUMNS];
  #end
}
