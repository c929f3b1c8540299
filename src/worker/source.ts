import { CrispenError } from '../errors.ts';
import type { BayerMosaic } from '../image/bayer.ts';
import type { WireSource } from './protocol.ts';

/**
 * What can be worked on. Elements are read as they are at the time of the call. Of a mosaic the missing
 * colours are interpolated; with the task `demosaic` a network does better.
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
 * A source in the form that crosses to the worker, and what of it is to be transferred.
 *
 * The caller's own bitmaps and pixels stay usable: they are copied once here and the copy is
 * transferred. Files go by reference. Strings and URLs are resolved against the document; the worker
 * fetches them.
 *
 * @throws CrispenError `CROSS_ORIGIN` for pixels that another site owns, `DECODE_FAILED` for a broken
 * image element, `INVALID_INPUT` for anything that is no source
 */
export async function toWireSource(
  source: UpscaleSource,
): Promise<{ source: WireSource; transfer: Transferable[] }> {
  if (source instanceof Blob) return { source: { kind: 'blob', blob: source }, transfer: [] };
  if (typeof source === 'string' || source instanceof URL) {
    return { source: { kind: 'url', url: resolve(source) }, transfer: [] };
  }
  // Its samples are copied on their way; the worker checks them.
  if (isMosaic(source)) {
    const { width, height, data, pattern, black, white } = source;
    const levels = { ...(black !== undefined && { black }), ...(white !== undefined && { white }) };
    return {
      source: { kind: 'mosaic', mosaic: { width, height, data, pattern, ...levels } },
      transfer: [],
    };
  }
  if (source instanceof ImageData && isPlain(source)) {
    const { width, height } = source;
    const data = source.data.slice() as Uint8ClampedArray<ArrayBuffer>;
    return {
      source: { kind: 'pixels', image: { width, height, data } },
      transfer: [data.buffer],
    };
  }
  const bitmap = await toBitmap(source);
  return { source: { kind: 'bitmap', bitmap }, transfer: [bitmap] };
}

export const isMosaic = (source: unknown): source is BayerMosaic => 'pattern' in Object(source);

/** A copy of the caller's bitmap that can be transferred, colours under low alpha intact. */
export async function copyBitmap(bitmap: ImageBitmap): Promise<ImageBitmap> {
  if (!(bitmap instanceof ImageBitmap)) throw notASource();
  return toBitmap(bitmap);
}

function resolve(url: string | URL): string {
  try {
    return new URL(url, document.baseURI).href;
  } catch (cause) {
    throw new CrispenError('INVALID_INPUT', `"${url}" is not a URL.`, {
      hint: 'Give an address such as "photos/cat.jpg", or the file itself.',
      cause,
    });
  }
}

/** 8 bits in sRGB can be used as they are; other image data is converted by way of a bitmap. */
function isPlain(image: ImageData): boolean {
  return image.colorSpace === 'srgb' && image.data instanceof Uint8ClampedArray;
}

async function toBitmap(
  source: ImageBitmap | ImageData | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas,
): Promise<ImageBitmap> {
  if (source instanceof HTMLImageElement) await loaded(source);
  else if (!isBitmapSource(source)) throw notASource();
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(source, { premultiplyAlpha: 'none' });
  } catch (cause) {
    throw new CrispenError('INVALID_INPUT', 'The image has no pixels to read.', {
      hint: 'It is closed, detached or has no width or no height.',
      cause,
    });
  }
  if (source instanceof ImageData || isReadable(bitmap)) return bitmap;
  bitmap.close();
  throw new CrispenError('CROSS_ORIGIN', 'The pixels of this image belong to another site.', {
    hint: 'Set crossorigin="anonymous" on the element and have the other site allow it (CORS), or pass the file itself.',
  });
}

function isBitmapSource(source: unknown): boolean {
  return [ImageBitmap, ImageData, HTMLCanvasElement, OffscreenCanvas].some(
    (type) => source instanceof type,
  );
}

function notASource(): CrispenError {
  return new CrispenError('INVALID_INPUT', 'This is not an image that Crispen can read.', {
    hint: 'Pass a File, Blob, URL, ImageBitmap, ImageData, image element or canvas.',
  });
}

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

/** Reading one pixel tells whether the browser would let any be read. */
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
