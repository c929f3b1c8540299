import type { RgbaImage } from '../image/image.ts';
import { isGrey } from '../image/pixels.ts';
import { type DecodedImage, NO_TAGS } from '../image/tags.ts';
import { readBitmap } from './bitmap.ts';
import { checkPixels } from './limits.ts';
import type { Carrier } from './source.ts';

/**
 * Decodes any source to RGBA pixels. The values are exact, alpha is not premultiplied, and the
 * image is rotated upright according to its EXIF orientation. The result has 16 bits per sample for
 * 16-bit PNGs and 8 for all other files and for bitmaps. A file's values are returned as stored,
 * and `tags` in the result describes their colour space. A bitmap's values are sRGB. For an
 * animation, the first frame is returned (for some PNGs, a separate still image). The function
 * works in workers and pages.
 *
 * If the source is a bitmap, the function closes it. If the source consists of pixels, the function
 * returns them unchanged.
 *
 * @param carrier how the result stores its colour space; colours that cannot be stored in this way
 *   are converted to sRGB with 8 bits per sample
 *
 * @throws CrispenError `DECODE_FAILED` if the source is not an image, if it is damaged or if this
 *   browser does not support its format; `IMAGE_TOO_LARGE` if it has more than `MAX_PIXELS` pixels,
 *   which is detected before decoding if the header contains the size; `ABORTED`.
 */
export async function decodeImage(
  source: Blob | ImageBitmap | RgbaImage,
  carrier: Carrier = 'png',
  signal?: AbortSignal,
): Promise<DecodedImage> {
  if (source instanceof Blob) {
    return (await import('./decodeFile.ts')).decodeFile(source, carrier, signal);
  }
  const image = source instanceof ImageBitmap ? await readBitmap(source) : source;
  checkPixels(image.width, image.height, 'The image');
  const tags = { ...NO_TAGS, grey: isGrey(image.data) };
  return { image, tags, format: null, animated: false, notes: [] };
}
