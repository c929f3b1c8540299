import { CrispenError } from '../errors.ts';
import { FORMATS, type OutputType } from './formats.ts';

/**
 * The most pixels of an input or output image: 2^28, 1 GiB of RGBA. It is the largest canvas that
 * Chromium makes. A tab cannot hold several images of this size.
 */
export const MAX_PIXELS = 2 ** 28;

/** @throws CrispenError `IMAGE_TOO_LARGE` when `width` x `height` exceeds `MAX_PIXELS`. */
export function checkPixels(width: number, height: number, what: string): void {
  if (width * height <= MAX_PIXELS) return;
  const limit = Math.floor(MAX_PIXELS / 1e6);
  throw new CrispenError('IMAGE_TOO_LARGE', `${what} has ${width} x ${height} pixels.`, {
    hint: `The limit is ${limit} megapixels: choose a smaller image or scale.`,
  });
}

/** @throws CrispenError `IMAGE_TOO_LARGE` for sizes that a format cannot hold. */
export function checkSides(type: OutputType, width: number, height: number): void {
  const limit = FORMATS[type].maxSide;
  if (width <= limit && height <= limit) return;
  throw new CrispenError(
    'IMAGE_TOO_LARGE',
    `${width} x ${height} pixels do not fit into ${type}.`,
    { hint: `A side may have at most ${limit} pixels: choose image/png.` },
  );
}
