import { CrispenError } from '../errors.ts';
import { FORMATS, type OutputType } from './formats.ts';
import type { ImageHeader } from './header.ts';

/**
 * The maximum number of pixels in an input or output image: 2^28, which is 1 GiB of RGBA. This is
 * also the maximum size of a canvas in Chromium. The memory of a browser tab cannot hold several
 * images of this size.
 */
export const MAX_PIXELS = 2 ** 28;

/** @throws CrispenError `IMAGE_TOO_LARGE` if `width` x `height` exceeds `MAX_PIXELS`. */
export function checkPixels(width: number, height: number, what: string): void {
  if (width * height <= MAX_PIXELS) return;
  const limit = Math.floor(MAX_PIXELS / 1e6);
  throw new CrispenError('IMAGE_TOO_LARGE', `${what} has ${width} x ${height} pixels.`, {
    hint: `The limit is ${limit} megapixels: choose a smaller image or scale.`,
  });
}

/** @throws CrispenError `IMAGE_TOO_LARGE` for sizes that the format does not support. */
export function checkSides(type: OutputType, width: number, height: number): void {
  const limit = FORMATS[type].maxSide;
  if (width <= limit && height <= limit) return;
  throw new CrispenError(
    'IMAGE_TOO_LARGE',
    `${width} x ${height} pixels do not fit into ${type}.`,
    { hint: `A side may have at most ${limit} pixels: choose image/png.` },
  );
}

/** The maximum number of bytes per pixel in an image file: four samples of 16 bits. */
const BYTES_PER_PIXEL = 8;
/**
 * The number of additional bytes that a file may contain for other frames, previews, videos and
 * metadata.
 */
const OTHER_BYTES = 2 ** 28;
/**
 * The maximum number of bytes in a file whose format is unknown. The browser might still be able to
 * decode such a file, for example an icon.
 */
const UNKNOWN_BYTES = 2 ** 24;

/**
 * Returns the maximum number of bytes in an image file with the given header, which contains the
 * image's format and size in pixels.
 */
export function mostBytes({ format, size }: ImageHeader): number {
  if (format === 'unknown' || format === 'text') return UNKNOWN_BYTES;
  const pixels = size ? size[0] * size[1] : MAX_PIXELS;
  return Math.min(pixels, MAX_PIXELS) * BYTES_PER_PIXEL + OTHER_BYTES;
}
