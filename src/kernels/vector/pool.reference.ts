import type { PlanarMap } from '../planar.ts';

/**
 * Returns the mean of each channel, summed in f64. It leaves out the first `first` and the last
 * `last` rows and columns.
 */
export function globalAveragePoolReference(
  x: Omit<PlanarMap, 'data'> & { readonly data: Float32Array | Float64Array },
  [first, last]: readonly [number, number] = [0, 0],
): Float32Array<ArrayBuffer> {
  const plane = x.height * x.width;
  const [bottom, right] = [x.height - last, x.width - last];
  const mean = new Float32Array(x.channels);
  for (let c = 0; c < x.channels; c++) {
    let sum = 0;
    for (let row = first; row < bottom; row++) {
      for (let i = row * x.width + first; i < row * x.width + right; i++)
        sum += x.data[c * plane + i];
    }
    mean[c] = sum / ((bottom - first) * (right - first));
  }
  return mean;
}

/** Returns the mean of the squares of each channel over all pixels, summed in f64. */
export const meanOfSquaresReference = (x: PlanarMap): Float32Array<ArrayBuffer> =>
  globalAveragePoolReference({ ...x, data: Float64Array.from(x.data, (v) => v * v) });
