import { CrispenError } from '../errors.ts';
import { FORMATS, type OutputType } from './formats.ts';

/**
 * Most pixels of an image, in or out: 2^28, 1 GiB of RGBA. It is the largest canvas that Chromium
 * makes, and well above what a tab can hold several times over.
 */
export const MAX_PIXELS = 2 ** 28;

/** @throws CrispenError `IMAGE_TOO_LARGE` when `width` x `height` exceeds `MAX_PIXELS`. */
export function checkPixels(width: number, height: number, what: string): void {
  if (width * height <= MAX_PIXELS) return;
  const limit = Math.floor(MAX_PIXELS / 1e6);
  throw new CrispenError('IMAGE_TOO_LARGE', `${what} has ${width} x ${height} pixels.`, {
    hint: `At most ${limit} megapixels fit: choose a smaller image or a smaller scale.`,
  });
}

/** @throws CrispenError `IMAGE_TOO_LARGE` for sizes that a format cannot hold. */
export function checkSides(type: OutputType, width: number, height: number): void {
  const limit = FORMATS[type].maxSide;
  if (width <= limit && height <= limit) return;
  throw new CrispenError(
    'IMAGE_TOO_LARGE',
    `${width} x ${height} pixels do not fit into ${type}.`,
    { hint: `Its sides may have ${limit} pixels at most: choose image/png.` },
  );
}
