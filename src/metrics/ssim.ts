import type { Plane } from './luma.ts';

/** The side length of SSIM's window in pixels. Planes must be at least this wide and high. */
export const SSIM_WINDOW = 11;
const SIGMA = 1.5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

const WEIGHTS = gaussian();

function gaussian(): Float64Array {
  const middle = (SSIM_WINDOW - 1) / 2;
  const weights = new Float64Array(SSIM_WINDOW).map((_, i) =>
    Math.exp(-((i - middle) ** 2) / (2 * SIGMA ** 2)),
  );
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

/**
 * Computes the mean structural similarity (SSIM) of two planes of the same size, with values from 0
 * to 255. The window is an 11x11 Gaussian with sigma 1.5, and the constants are K1 = 0.01 and
 * K2 = 0.03. The mean covers only positions where the whole window is inside the plane.
 *
 * Source: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
 * structural similarity", 2004, equation 13.
 */
export function ssim(a: Plane, b: Plane): number {
  const { width, height } = a;
  const meanA = blur(a.data, width, height);
  const meanB = blur(b.data, width, height);
  const squareA = blur(product(a.data, a.data), width, height);
  const squareB = blur(product(b.data, b.data), width, height);
  const mixed = blur(product(a.data, b.data), width, height);
  let sum = 0;
  for (let i = 0; i < meanA.length; i++) {
    const [ma, mb] = [meanA[i], meanB[i]];
    const varianceA = squareA[i] - ma * ma;
    const varianceB = squareB[i] - mb * mb;
    const covariance = mixed[i] - ma * mb;
    sum +=
      ((2 * ma * mb + C1) * (2 * covariance + C2)) /
      ((ma * ma + mb * mb + C1) * (varianceA + varianceB + C2));
  }
  return sum / meanA.length;
}

function product(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value * b[i]);
}

/**
 * Computes the Gaussian-weighted mean of the window's pixels for all `(width - 10) * (height - 10)`
 * positions of the window.
 */
function blur(data: Float64Array, width: number, height: number): Float64Array {
  const widthOut = width - SSIM_WINDOW + 1;
  const heightOut = height - SSIM_WINDOW + 1;
  const middle = new Float64Array(widthOut * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < widthOut; x++) {
      let sum = 0;
      for (let t = 0; t < SSIM_WINDOW; t++) sum += WEIGHTS[t] * data[y * width + x + t];
      middle[y * widthOut + x] = sum;
    }
  }
  const out = new Float64Array(widthOut * heightOut);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let t = 0; t < SSIM_WINDOW; t++) sum += WEIGHTS[t] * middle[i + t * widthOut];
    out[i] = sum;
  }
  return out;
}
