import { CrispenError } from '../errors.ts';
import type { RgbaImage } from '../image/image.ts';
import { toRgba8 } from '../image/pixels.ts';
import type { ImageTags } from '../image/tags.ts';
import type { Embed } from './embed.ts';
import type { OutputType } from './formats.ts';

/**
 * Encodes an image with the browser's own encoder and writes the tags to the file. The samples are
 * passed to the canvas as if they were sRGB, so the browser does not convert them.
 *
 * @param quality 0 to 1
 * @param embed writes the tags to files of the given `type`
 * @param background a CSS colour on which transparent pixels are drawn, or null to keep the
 *   transparency
 * @throws CrispenError `ENCODE_FAILED` if the browser cannot create a canvas of this size, or if it
 *   has no encoder for `type` (the canvas then silently produces a PNG)
 */
export async function encodeByCanvas(
  image: RgbaImage,
  type: OutputType,
  quality: number,
  background: string | null,
  tags: ImageTags,
  embed: Embed,
): Promise<Blob> {
  const { width, height } = image;
  const pixels = toRgba8(image).data as Uint8ClampedArray<ArrayBuffer>;
  let blob: Blob;
  try {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context) throw new Error('no 2D context');
    context.putImageData(new ImageData(pixels, width, height), 0, 0);
    if (background !== null) {
      context.globalCompositeOperation = 'destination-over';
      context.fillStyle = background;
      context.fillRect(0, 0, width, height);
    }
    blob = await canvas.convertToBlob({ type, quality });
  } catch (cause) {
    throw new CrispenError('ENCODE_FAILED', `The ${width} x ${height} image was not encoded.`, {
      hint: 'The browser cannot make a canvas of this size. Choose PNG, which needs none.',
      cause,
    });
  }
  if (blob.type !== type) {
    throw new CrispenError('ENCODE_FAILED', `This browser cannot write ${type}.`, {
      hint: 'Choose image/png or image/jpeg.',
    });
  }
  const file = new Uint8Array(await blob.arrayBuffer());
  return new Blob([await embed(file, tags)], { type });
}
