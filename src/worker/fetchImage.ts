/** Fetches images from URLs. This module is loaded lazily. */
import { mostBytes } from '../codecs/limits.ts';
import { checkStart } from '../codecs/source.ts';
import { CrispenError } from '../errors.ts';
import { fetchFailed, readAll, request } from './reading.ts';

/**
 * Fetches the image file at a URL. If the first bytes show that the file cannot be decoded, the
 * rest is not read. A file that is larger than its format and dimensions allow is not read to the
 * end.
 * @throws CrispenError `FETCH_FAILED`, `DECODE_FAILED`, `IMAGE_TOO_LARGE`, `ABORTED`
 */
export async function fetchImage(url: string, signal: AbortSignal): Promise<Blob> {
  const response = await request(url, 'image', signal);
  const judge = (start: Uint8Array) => mostBytes(checkStart(start));
  const tooLarge = (limit: number) =>
    new CrispenError('IMAGE_TOO_LARGE', `The file at ${url} has more than ${limit} bytes.`, {
      hint: 'An image of its size takes less. Check the address.',
    });
  try {
    return new Blob([await readAll(response, { signal, judge, tooLarge })]);
  } catch (cause) {
    if (cause instanceof CrispenError) throw cause;
    throw fetchFailed(url, 'image', cause);
  }
}
