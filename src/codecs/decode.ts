import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';
import { isOpaque } from '../image/pixels.ts';
import { type ImageFormat, isTruncated, readHeader } from './header.ts';

/**
 * Most pixels of an image, in or out: 2^28, 1 GiB of RGBA. It is the largest canvas that Chromium
 * makes, and well above what a tab can hold several times over.
 */
export const MAX_PIXELS = 2 ** 28;

/** Pixels that pass through a canvas at a time, which bounds the extra memory. */
const STRIP_PIXELS = 2 ** 22;

/** @throws CrispenError `IMAGE_TOO_LARGE` when `width` x `height` exceeds `MAX_PIXELS`. */
export function checkPixels(width: number, height: number, what: string): void {
  if (width * height <= MAX_PIXELS) return;
  const limit = Math.floor(MAX_PIXELS / 1e6);
  throw new CrispenError('IMAGE_TOO_LARGE', `${what} has ${width} x ${height} pixels.`, {
    hint: `At most ${limit} megapixels fit: choose a smaller image or a smaller scale.`,
  });
}

/**
 * Any source as RGBA pixels with exact colours, alpha not premultiplied, in sRGB, turned upright by
 * its EXIF orientation. Of an animation the first frame. Needs a worker or a page.
 *
 * A bitmap belongs to this function: it is closed. Pixels are returned as they are.
 *
 * @throws CrispenError `DECODE_FAILED` for what is no image, a damaged one or a format that this
 * browser does not know; `IMAGE_TOO_LARGE` above `MAX_PIXELS`, before decoding where the header
 * tells the size.
 */
export async function decodeImage(source: Blob | ImageBitmap | Rgba8Image): Promise<Rgba8Image> {
  if (source instanceof Blob) return readBitmap(await decodeBlob(source));
  if (source instanceof ImageBitmap) return readBitmap(source);
  checkPixels(source.width, source.height, 'The image');
  return source;
}

async function decodeBlob(blob: Blob): Promise<ImageBitmap> {
  const format = await checkHeader(blob);
  try {
    return await createImageBitmap(blob, {
      premultiplyAlpha: 'none',
      imageOrientation: 'from-image',
    });
  } catch (cause) {
    const what = format === 'unknown' ? 'The file' : `The ${format} file`;
    throw new CrispenError('DECODE_FAILED', `${what} could not be decoded.`, {
      hint: 'It is damaged or of a kind that this browser cannot read: save it anew as PNG or JPEG.',
      cause,
    });
  }
}

/** Refuses what cannot be decoded, with words that name the cause, before any pixel is allocated. */
async function checkHeader(blob: Blob): Promise<ImageFormat> {
  const data = new Uint8Array(await readBlob(blob));
  if (data.length === 0) {
    throw new CrispenError('DECODE_FAILED', 'The file is empty.', {
      hint: 'Choose another file, or download this one again.',
    });
  }
  const { format, size } = readHeader(data);
  if (format === 'text') {
    throw new CrispenError('DECODE_FAILED', 'The file contains text, not an image.', {
      hint: 'Its name may end like that of an image; choose a PNG, JPEG, WebP, AVIF or GIF file.',
    });
  }
  if (format === 'HEIC' || format === 'TIFF' || format === 'SVG') {
    throw new CrispenError('DECODE_FAILED', `${format} files cannot be read.`, {
      hint: 'Export the picture as PNG or JPEG first.',
    });
  }
  if (size) checkPixels(...size, 'The image');
  if (isTruncated(format, data)) {
    throw new CrispenError('DECODE_FAILED', `The ${format} file is cut short.`, {
      hint: 'A part of it is missing: download or copy it again.',
    });
  }
  return format;
}

async function readBlob(blob: Blob): Promise<ArrayBuffer> {
  try {
    return await blob.arrayBuffer();
  } catch (cause) {
    throw new CrispenError('DECODE_FAILED', 'The file could not be read.', {
      hint: 'It may have been moved, changed or deleted since it was chosen: choose it again.',
      cause,
    });
  }
}

/**
 * The pixels of a bitmap, which is closed. A 2D canvas keeps premultiplied colours and thereby
 * destroys those under a low alpha (200, 100, 50 at alpha 3 comes back as 170, 85, 85), so that
 * bitmaps with any transparency are read through WebGL. Where there is no WebGL2, the canvas's
 * rounded colours have to do.
 */
async function readBitmap(bitmap: ImageBitmap): Promise<Rgba8Image> {
  const { width, height } = bitmap;
  try {
    checkPixels(width, height, 'The image');
    const data = readThroughCanvas(bitmap);
    if (!isOpaque(data)) {
      const { readThroughWebGl } = await import('./transparent.ts');
      await readThroughWebGl(bitmap, data);
    }
    return { width, height, data };
  } catch (error) {
    throw CrispenError.from(error, 'DECODE_FAILED');
  } finally {
    bitmap.close();
  }
}

function readThroughCanvas(bitmap: ImageBitmap): Uint8ClampedArray<ArrayBuffer> {
  const { width, height } = bitmap;
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP_PIXELS / width)));
  const context = new OffscreenCanvas(width, rows).getContext('2d', { willReadFrequently: true });
  if (!context) throw new CrispenError('OUT_OF_MEMORY', 'No canvas could be made.');
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += rows) {
    const h = Math.min(rows, height - y);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, y, width, h, 0, 0, width, h);
    data.set(context.getImageData(0, 0, width, h).data, y * width * 4);
  }
  return data;
}
