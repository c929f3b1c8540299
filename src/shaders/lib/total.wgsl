// Adds up one vector from each of the 64 invocations of a workgroup, with a tree reduction.
// Afterwards, `sums[0]` is the total, but only invocation 0 may read it without another barrier.
//   index=INDEX of the invocation; sum=VECTOR of the invocation
sums[{index}] = {sum};
for (var half = 32u; half > 0u; half /= 2u) {
  workgroupBarrier();
  if {index} < half {
    sums[{index}] += sums[{index} + half];
  }
}
