import { CrispenError } from '../../errors.ts';
import type { BayerMosaic } from '../../image/bayer.ts';
import { invalid } from '../../options.ts';
import type { WireSource } from '../protocol.ts';
import {
  absolute,
  isBitmap,
  isBlob,
  isCanvasElement,
  isImageData,
  isImageElement,
  isInputElement,
  isOffscreenCanvas,
  isUrl,
} from './realm.ts';

/**
 * All possible sources. The pixels of image and canvas elements are read when a method such as
 * `upscale` is called. In raw Bayer data, the missing colours are interpolated. With the task
 * `demosaic`, a network then improves them.
 */
export type UpscaleSource =
  | File
  | Blob
  | URL
  | string
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | BayerMosaic;

/**
 * Converts a source to an object that can be sent to the worker, and lists the objects to transfer.
 *
 * The caller's own bitmaps and pixels stay usable, because the function transfers copies. Files are
 * passed by reference. Strings and URLs are resolved against the document or, in a worker, against
 * the worker's script. Crispen's worker then fetches the images.
 *
 * @throws CrispenError `CROSS_ORIGIN` for pixels that belong to another site, `DECODE_FAILED` for a
 *   broken image element, `INVALID_INPUT` for any other source that cannot be used
 */
export async function toWireSource(
  source: UpscaleSource,
): Promise<{ source: WireSource; transfer: Transferable[] }> {
  if (isBlob(source)) return { source: { kind: 'blob', blob: source }, transfer: [] };
  if (typeof source === 'string' || isUrl(source)) {
    const hint = 'Give an address such as "photos/cat.jpg", or the file itself.';
    return { source: { kind: 'url', url: absolute(source, hint).href }, transfer: [] };
  }
  if (isMosaic(source)) {
    // The samples are copied immediately, so the caller can change them afterwards. An empty
    // buffer, such as one that was already transferred, is rejected by the check below.
    const data = source.data?.length > 0 ? source.data.slice() : source.data;
    const { checkMosaic } = await import('../../image/bayer.ts');
    const mosaic = checkMosaic({ ...source, data });
    return { source: { kind: 'mosaic', mosaic }, transfer: [mosaic.data.buffer] };
  }
  if (isImageData(source) && isPlain(source)) {
    const { width, height } = source;
    if (source.data.length === 0) throw noPixels();
    const data = source.data.slice() as Uint8ClampedArray<ArrayBuffer>;
    return {
      source: { kind: 'pixels', image: { width, height, data } },
      transfer: [data.buffer],
    };
  }
  const bitmap = await toBitmap(source);
  return { source: { kind: 'bitmap', bitmap }, transfer: [bitmap] };
}

/**
 * Recognises raw Bayer data by its property `pattern`. HTML `<input>` elements also have a property
 * of this name, so they are excluded.
 */
export const isMosaic = (source: unknown): source is BayerMosaic =>
  'pattern' in Object(source) && !isInputElement(source);

/**
 * Creates a transferable copy of the caller's bitmap. The copy keeps the exact colours of pixels
 * with low alpha.
 */
export async function copyBitmap(bitmap: ImageBitmap): Promise<ImageBitmap> {
  if (!isBitmap(bitmap)) throw notASource();
  return toBitmap(bitmap);
}

/**
 * Returns whether image data is 8-bit sRGB and can be used directly. Other image data is converted
 * through a bitmap.
 */
function isPlain(image: ImageData): boolean {
  const kind = Object.prototype.toString.call(image.data);
  return image.colorSpace === 'srgb' && kind === '[object Uint8ClampedArray]';
}

async function toBitmap(
  source: ImageBitmap | ImageData | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas,
): Promise<ImageBitmap> {
  const bitmapSource = [isBitmap, isImageData, isCanvasElement, isOffscreenCanvas];
  if (isImageElement(source)) await loaded(source);
  else if (!bitmapSource.some((isOne) => isOne(source))) throw notASource();
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(source, { premultiplyAlpha: 'none' });
  } catch (cause) {
    throw noPixels(cause);
  }
  if (isImageData(source) || isReadable(bitmap)) return bitmap;
  bitmap.close();
  throw new CrispenError('CROSS_ORIGIN', 'The pixels of this image belong to another site.', {
    hint: 'Set crossorigin="anonymous" on the element, and let the other site allow this page (CORS). Or pass the file itself.',
  });
}

const notASource = (): CrispenError =>
  invalid(
    'This is not an image that Crispen can read.',
    'Pass a File, Blob, URL, ImageBitmap, ImageData, image element or canvas.',
  );

const noPixels = (cause?: unknown): CrispenError =>
  invalid(
    'The image has no pixels.',
    'It was closed, its memory was transferred, or its width or height is 0.',
    cause,
  );

async function loaded(image: HTMLImageElement): Promise<void> {
  try {
    await image.decode();
  } catch (cause) {
    throw new CrispenError('DECODE_FAILED', 'The image element shows no image.', {
      hint: `Check that ${image.currentSrc || 'its source'} exists and is an image.`,
      cause,
    });
  }
}

/** Reads one pixel to find out whether the browser allows scripts to read the bitmap. */
function isReadable(bitmap: ImageBitmap): boolean {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  context?.drawImage(bitmap, 0, 0);
  try {
    context?.getImageData(0, 0, 1, 1);
    return true;
  } catch {
    return false;
  }
}
