import { CrispenError, throwIfAborted } from '../errors.ts';
import type { RgbaImage } from '../image/image.ts';
import { isGrey, turn } from '../image/pixels.ts';
import type { DecodedImage } from '../image/tags.ts';
import { readBitmap } from './bitmap.ts';
import { join } from './bytes.ts';
import { checkPixels } from './limits.ts';
import { type Carrier, openSource, type SourceFile } from './source.ts';

/** Like `decodeImage`, but only for files. */
export async function decodeFile(
  blob: Blob,
  carrier: Carrier,
  signal?: AbortSignal,
): Promise<DecodedImage> {
  const source = await openSource(new Uint8Array(await readBlob(blob)), { carrier, signal });
  const { format, tags, orientation, isAnimated, notes } = source;
  const stored = await decodePixels(source, signal);
  throwIfAborted(signal);
  checkPixels(stored.width, stored.height, 'The image');
  const image = turn(stored, orientation);
  const grey = isGrey(image.data);
  return { image, tags: { ...tags, grey }, format, animated: isAnimated, notes };
}

async function decodePixels(
  { format, bits, bare, isRaw }: SourceFile,
  signal: AbortSignal | undefined,
): Promise<RgbaImage> {
  try {
    if (format === 'PNG' && bits === 16 && isRaw) {
      const { decodePng16 } = await import('./png/png16.ts');
      return await decodePng16(join(bare), signal);
    }
    const bitmap = await createImageBitmap(new Blob([...bare]), {
      premultiplyAlpha: 'none',
      // If `isRaw` is true, nothing in the file requires a colour conversion. Decoders could still
      // convert the values, and the setting `none` prevents that.
      colorSpaceConversion: isRaw ? 'none' : 'default',
    });
    return await readBitmap(bitmap);
  } catch (cause) {
    if (cause instanceof CrispenError) throw cause;
    const what = format === 'unknown' ? 'The file' : `The ${format} file`;
    throw new CrispenError('DECODE_FAILED', `${what} could not be decoded.`, {
      hint: 'It is damaged, or this browser cannot read its format. Save it again as PNG or JPEG.',
      cause,
    });
  }
}

async function readBlob(blob: Blob): Promise<ArrayBuffer> {
  try {
    return await blob.arrayBuffer();
  } catch (cause) {
    throw new CrispenError('DECODE_FAILED', 'The file could not be read.', {
      hint: 'It may have been moved, changed or deleted since it was chosen. Choose it again.',
      cause,
    });
  }
}
