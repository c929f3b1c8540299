import type { PlanarMap } from '../planar.ts';

/** Mean of each channel over all pixels, summed in f64. */
export function globalAveragePoolReference(
  x: Omit<PlanarMap, 'data'> & { readonly data: Float32Array | Float64Array },
): Float32Array<ArrayBuffer> {
  const plane = x.height * x.width;
  const mean = new Float32Array(x.channels);
  for (let c = 0; c < x.channels; c++) {
    let sum = 0;
    for (let i = 0; i < plane; i++) sum += x.data[c * plane + i];
    mean[c] = sum / plane;
  }
  return mean;
}

/** Mean of each channel's squares over all pixels, summed in f64. */
export const meanOfSquaresReference = (x: PlanarMap): Float32Array<ArrayBuffer> =>
  globalAveragePoolReference({ ...x, data: Float64Array.from(x.data, (v) => v * v) });
