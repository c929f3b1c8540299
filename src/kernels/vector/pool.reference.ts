import { type PlanarMap, type Reals, realsLike } from '../planar.ts';

/**
 * Returns the mean of each channel, with sums in f64. Leaves out the first `inset[0]` and the last
 * `inset[1]` rows and columns.
 */
export const globalAveragePoolReference = <T extends Reals>(
  x: PlanarMap<T>,
  inset: readonly [number, number] = [0, 0],
): T => meansOf(x, (v) => v, inset);

/** Returns the mean square of each channel's values, with sums in f64. */
export const meanOfSquaresReference = <T extends Reals>(x: PlanarMap<T>): T =>
  meansOf(x, (v) => v * v, [0, 0]);

/** Returns the mean of `f(v)` over the values `v` of each channel. */
function meansOf<T extends Reals>(
  x: PlanarMap<T>,
  f: (v: number) => number,
  [first, last]: readonly [number, number],
): T {
  const plane = x.height * x.width;
  const [bottom, right] = [x.height - last, x.width - last];
  const mean = realsLike(x.data, x.channels);
  for (let c = 0; c < x.channels; c++) {
    let sum = 0;
    for (let row = first; row < bottom; row++) {
      for (let i = row * x.width + first; i < row * x.width + right; i++)
        sum += f(x.data[c * plane + i]);
    }
    mean[c] = sum / ((bottom - first) * (right - first));
  }
  return mean;
}
