import type { RgbaImage } from '../image/image.ts';
import { isGrey } from '../image/pixels.ts';
import { type DecodedImage, NO_TAGS } from '../image/tags.ts';
import { readBitmap } from './bitmap.ts';
import { checkPixels } from './limits.ts';
import type { Carrier } from './source.ts';

/**
 * Any source as RGBA pixels with exact values, alpha not premultiplied, turned upright by its EXIF
 * orientation; 16 bits per sample for a PNG of 16, else 8. The values of a file are those stored, and
 * the tags say what they mean; those of bitmaps are sRGB. Of an animation the first frame. Needs a
 * worker or a page.
 *
 * A bitmap belongs to this function: it is closed. Pixels are returned as they are.
 *
 * @param carrier what the result will be: colours of a file that it cannot carry become sRGB
 *
 * @throws CrispenError `DECODE_FAILED` for what is no image, a damaged one or a format that this
 * browser does not know; `IMAGE_TOO_LARGE` above `MAX_PIXELS`, before decoding where the header
 * tells the size.
 */
export async function decodeImage(
  source: Blob | ImageBitmap | RgbaImage,
  carrier: Carrier = 'png',
): Promise<DecodedImage> {
  if (source instanceof Blob) return (await import('./decodeFile.ts')).decodeFile(source, carrier);
  const image = source instanceof ImageBitmap ? await readBitmap(source) : source;
  checkPixels(image.width, image.height, 'The image');
  const tags = { ...NO_TAGS, grey: isGrey(image.data) };
  return { image, tags, format: null, animated: false, notes: [] };
}
