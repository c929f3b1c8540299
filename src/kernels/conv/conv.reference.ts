import { mapLike, type PlanarMap, type Reals } from '../planar.ts';
import { atOnce, each, type Steps } from '../steps.ts';

/**
 * Computes a zero-padded convolution with stride 1. `weights` are in oihw order, and `bias` has
 * `cOut` elements or is null. Sums are f64, and each result is rounded at most once. The innermost
 * loop runs along a row of the map, which makes the function fast enough to run a whole network on
 * a CPU.
 */
export function* convSteps<T extends Reals>(
  x: PlanarMap<T>,
  weights: Float32Array,
  bias: Float32Array | null,
  cOut: number,
  kernel: 1 | 3,
): Steps<PlanarMap<T>> {
  const { channels: cIn, height, width } = x;
  const y = mapLike(x, cOut, height, width);
  const radius = kernel >> 1;
  const sum = new Float64Array(width);
  for (let o = 0; o < cOut; o++) {
    yield* each(height, (row) => {
      sum.fill(bias ? bias[o] : 0);
      for (let i = 0; i < cIn; i++) {
        for (let ky = 0; ky < kernel; ky++) {
          const from = row + ky - radius;
          if (from < 0 || from >= height) continue;
          const source = (i * height + from) * width;
          for (let kx = 0; kx < kernel; kx++) {
            const w = weights[((o * cIn + i) * kernel + ky) * kernel + kx];
            const shift = kx - radius;
            const last = Math.min(width, width - shift);
            for (let col = Math.max(0, -shift); col < last; col++) {
              sum[col] += w * x.data[source + col + shift];
            }
          }
        }
      }
      y.data.set(sum, (o * height + row) * width);
    });
  }
  return y;
}
export const convReference = atOnce(convSteps);
