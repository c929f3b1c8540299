/** Images at addresses; lazily loaded. */
import { mostBytes } from '../codecs/limits.ts';
import { checkStart } from '../codecs/source.ts';
import { CrispenError } from '../errors.ts';
import { fetchFailed, readAll, request } from './reading.ts';

/**
 * The image file at an address. Nothing is read beyond the first bytes if they are not those of an image that
 * can be read, and never more than an image of its size can have.
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
