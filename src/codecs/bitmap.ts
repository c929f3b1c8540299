import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';
import { isOpaque } from '../image/pixels.ts';
import { checkPixels } from './limits.ts';

/**
 * The maximum number of pixels that are drawn on the canvas at a time. This limits the size of the
 * canvas.
 */
const STRIP_PIXELS = 2 ** 22;
/** The largest canvas side that works in every browser. */
const MAX_SIDE = 8192;

/**
 * Reads the pixels of a bitmap and closes it. A 2D canvas stores premultiplied colours, so rounding
 * changes colours with low alpha: (200, 100, 50) at alpha 3 is returned as (170, 85, 85).
 * Bitmaps with any transparency are therefore read through WebGL. If WebGL2 is unavailable, the
 * canvas's rounded colours are used.
 */
export async function readBitmap(bitmap: ImageBitmap): Promise<Rgba8Image> {
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
  const columns = Math.min(width, MAX_SIDE);
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP_PIXELS / columns)));
  const context = new OffscreenCanvas(columns, rows).getContext('2d', { willReadFrequently: true });
  if (!context) throw new CrispenError('OUT_OF_MEMORY', 'No canvas could be made.');
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += rows) {
    for (let x = 0; x < width; x += columns) {
      const [w, h] = [Math.min(columns, width - x), Math.min(rows, height - y)];
      context.clearRect(0, 0, columns, rows);
      context.drawImage(bitmap, x, y, w, h, 0, 0, w, h);
      const part = context.getImageData(0, 0, w, h).data;
      for (let row = 0; row < h; row++) {
        data.set(part.subarray(row * w * 4, (row + 1) * w * 4), ((y + row) * width + x) * 4);
      }
    }
  }
  return data;
}
