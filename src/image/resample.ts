import { CrispenError } from '../errors.ts';
import { checkValue, side } from '../options.ts';
import { checkImage, type Rgba8Image } from './image.ts';
import { isOpaque } from './pixels.ts';
import { axisTaps, type ResampleKernel, type Taps } from './taps.ts';

export type { ResampleKernel } from './taps.ts';

const SIDE = side();

/**
 * Resizes an image to `width` x `height` pixels, using the gamma-encoded values.
 *
 * The function matches MATLAB's imresize. Pixel centres are at half-integer positions. A reduction
 * widens the kernel by the reduction factor (antialiasing). Beyond its edges, the image continues
 * as its mirror image, which starts with a copy of the pixel at the edge. Weights are normalised to
 * a sum of 1. The image is resized vertically first, then horizontally. Opaque images are rounded
 * (half up) and clamped to 8 bits after each of the two steps. Bicubic reductions of the Set5 test
 * images are therefore identical to the test set's low-resolution images.
 *
 * Images that are not opaque are filtered with premultiplied alpha and rounded only once, at the
 * end. The hidden colours of transparent pixels therefore do not affect visible pixels. In the
 * result, fully transparent pixels are black.
 *
 * Source: Keys, "Cubic convolution interpolation for digital image processing", 1981.
 * @throws CrispenError `INVALID_INPUT` for sizes that are not positive integers or do not match the
 *   length of the data, and `OUT_OF_MEMORY` if the result cannot be allocated.
 */
export function resample(
  image: Rgba8Image,
  width: number,
  height: number,
  kernel: ResampleKernel,
): Rgba8Image {
  checkImage(image, 4);
  checkValue('The width', width, SIDE);
  checkValue('The height', height, SIDE);
  try {
    // The result is allocated first, so no work is wasted if the allocation fails.
    const data = new Uint8ClampedArray(width * height * 4);
    const rows = axisTaps(image.height, height, kernel);
    const columns = axisTaps(image.width, width, kernel);
    if (isOpaque(image.data)) resampleOpaque(image, rows, columns, data);
    else resampleTranslucent(image, rows, columns, data);
    return { width, height, data };
  } catch (cause) {
    // Only memory allocations can throw in the block above.
    throw new CrispenError('OUT_OF_MEMORY', `No memory for an image of ${width} x ${height}.`, {
      hint: 'Choose a smaller image or scale.',
      cause,
    });
  }
}

function resampleOpaque(
  image: Rgba8Image,
  rows: Taps,
  columns: Taps,
  out: Uint8ClampedArray,
): void {
  const middle = new Uint8ClampedArray(image.width * rows.length * 4);
  resampleRows(image.data, middle, image.width, rows, roundHalfUp);
  resampleColumns(middle, out, image.width, columns, roundHalfUp);
}

function resampleTranslucent(
  image: Rgba8Image,
  rows: Taps,
  columns: Taps,
  out: Uint8ClampedArray,
): void {
  const { data } = image;
  const source = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3];
    for (let c = 0; c < 3; c++) source[i + c] = (data[i + c] * alpha) / 255;
    source[i + 3] = alpha;
  }
  const middle = new Float32Array(image.width * rows.length * 4);
  resampleRows(source, middle, image.width, rows, unchanged);
  const premultiplied = new Float32Array(columns.length * rows.length * 4);
  resampleColumns(middle, premultiplied, image.width, columns, unchanged);

  for (let i = 0; i < out.length; i += 4) {
    const alpha = premultiplied[i + 3];
    out[i + 3] = roundHalfUp(alpha);
    if (out[i + 3] === 0) continue;
    for (let c = 0; c < 3; c++) out[i + c] = roundHalfUp((premultiplied[i + c] * 255) / alpha);
  }
}

/** Rounds half up. Uint8ClampedArray would round half to even. */
const roundHalfUp = (value: number): number => Math.floor(value + 0.5);
const unchanged = (value: number): number => value;

type Samples = Uint8ClampedArray | Float32Array;

/** Resizes vertically. Each row has `width` pixels of 4 samples. */
function resampleRows(
  source: Samples,
  out: Samples,
  width: number,
  taps: Taps,
  finish: (value: number) => number,
): void {
  const stride = width * 4;
  const sums = new Float64Array(stride);
  for (let y = 0; y < taps.length; y++) {
    sums.fill(0);
    for (let t = y * taps.count; t < (y + 1) * taps.count; t++) {
      const weight = taps.weights[t];
      if (weight === 0) continue;
      const from = taps.positions[t] * stride;
      for (let i = 0; i < stride; i++) sums[i] += weight * source[from + i];
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = finish(sums[i]);
  }
}

/** Resizes horizontally. Each source row has `widthIn` pixels of 4 samples. */
function resampleColumns(
  source: Samples,
  out: Samples,
  widthIn: number,
  taps: Taps,
  finish: (value: number) => number,
): void {
  const height = source.length / (widthIn * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < taps.length; x++) {
      let [r, g, b, a] = [0, 0, 0, 0];
      for (let t = x * taps.count; t < (x + 1) * taps.count; t++) {
        const weight = taps.weights[t];
        const from = (y * widthIn + taps.positions[t]) * 4;
        r += weight * source[from];
        g += weight * source[from + 1];
        b += weight * source[from + 2];
        a += weight * source[from + 3];
      }
      const to = (y * taps.length + x) * 4;
      out[to] = finish(r);
      out[to + 1] = finish(g);
      out[to + 2] = finish(b);
      out[to + 3] = finish(a);
    }
  }
}
