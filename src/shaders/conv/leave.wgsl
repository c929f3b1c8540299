// A part of conv/matrix.wgsl. It stores the sums for the fragments `first` to `end - 1` of the
// subgroup's pixels. Each fragment has M pixels.
workgroupBarrier();
#for f in first..end
  #for c in 0..COLUMNS
    subgroupMatrixStore<row_major>(&leaving, (local.y * GO_PIXELS + {f-first}u * M) * WIDE + {c}u * N / 4u, s{f}_{c}, WIDE);
  #end
#end
workgroupBarrier();
for (var n = local.x; n < GO_PIXELS * (WIDE - 1u); n += SUBGROUP) {
  let pixel = n % GO_PIXELS;
  let column = n / GO_PIXELS;
  let sum = leaving[(local.y * GO_PIXELS + pixel) * WIDE + column];
  let block = group.z * (WIDE - 1u) + column;
  let place = {first}u * M + pixel;
  store_pixel(block, top + local.y * 4u + place / 16u, left + place % 16u, sum + bias_of(block));
}
