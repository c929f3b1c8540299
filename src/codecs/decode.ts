import type { RgbaImage } from '../image/image.ts';
import { isGrey } from '../image/pixels.ts';
import { type DecodedImage, NO_TAGS } from '../image/tags.ts';
import { readBitmap } from './bitmap.ts';
import { checkPixels } from './limits.ts';
import type { Carrier } from './source.ts';

/**
 * Decodes any source to RGBA pixels with exact values, alpha not premultiplied, turned upright by
 * its EXIF orientation. 16-bit PNGs have 16 bits per sample, all other sources 8. The values of a
 * file are those that it stores, and the tags describe their meaning. The values of a bitmap are
 * sRGB. An animation gives its first frame. Runs in a worker or a page.
 *
 * The function closes a bitmap. It returns pixels unchanged.
 *
 * @param carrier what the result will be; colours that it cannot express become sRGB
 *
 * @throws CrispenError `DECODE_FAILED` for bytes that are not an image, a damaged image or a format
 *   that this browser lacks; `IMAGE_TOO_LARGE` above `MAX_PIXELS`, before decoding if the header
 *   gives the size; `ABORTED`.
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
