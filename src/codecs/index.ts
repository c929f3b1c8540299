import type { RgbaImage } from '../image/image.ts';
import type { ImageTags } from '../image/tags.ts';
import type { Encoder } from './encoder.ts';
import type { OutputType } from './formats.ts';
import { checkSides } from './limits.ts';

export { decodeImage } from './decode.ts';
export type { OutputType } from './formats.ts';
export { checkPixels, checkSides, MAX_PIXELS } from './limits.ts';

/**
 * The encoders of all output formats, by MIME type. Each encoder is loaded lazily as a separate
 * chunk.
 */
const ENCODERS: Readonly<Record<OutputType, () => Promise<Encoder>>> = {
  'image/png': async () => (await import('./png/png.ts')).png,
  'image/jpeg': async () => (await import('./jpeg/jpeg.ts')).jpeg,
  'image/webp': async () => (await import('./webp/webp.ts')).webp,
  'image/avif': async () => (await import('./avif/avif.ts')).avif,
};

/**
 * Encodes an image as a file.
 *
 * @param quality 0 to 1, ignored for PNG
 * @throws CrispenError `ENCODE_FAILED`, `IMAGE_TOO_LARGE` if a side exceeds the format's limit
 */
export async function encodeImage(
  image: RgbaImage,
  type: OutputType,
  quality: number,
  tags: ImageTags,
): Promise<Blob> {
  checkSides(type, image.width, image.height);
  const encode = await ENCODERS[type]();
  return encode(image, quality, tags);
}
