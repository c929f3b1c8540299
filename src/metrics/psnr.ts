import type { Plane } from './luma.ts';

/**
 * Computes the peak signal-to-noise ratio in dB for a peak of 255. Returns Infinity for equal
 * planes. The planes must have the same size.
 */
export function psnr(a: Plane, b: Plane): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i] - b.data[i]) ** 2;
  return 10 * Math.log10((255 * 255 * a.data.length) / sum);
}
