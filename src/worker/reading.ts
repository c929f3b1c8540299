/** Reads files and response bodies, with limits on their size. This module is loaded lazily. */
import { CrispenError, throwIfAborted } from '../errors.ts';

/**
 * Fetches a URL and returns a successful response.
 * @throws CrispenError `FETCH_FAILED`, `ABORTED`
 */
export async function request(
  url: string,
  what: 'image' | 'model',
  signal: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    throwIfAborted(signal);
    throw fetchFailed(url, what, cause);
  }
  if (response.ok) return response;
  await response.body?.cancel().catch(() => {});
  throw new CrispenError(
    'FETCH_FAILED',
    `The ${what} at ${url} could not be fetched: status ${response.status}.`,
    { hint: 'Check the address.' },
  );
}

export function fetchFailed(url: string, what: 'image' | 'model', cause: unknown): CrispenError {
  return new CrispenError('FETCH_FAILED', `The ${what} at ${url} could not be fetched.`, {
    hint: 'Check the address and the connection. Another site must allow it (CORS).',
    cause,
  });
}

/** Options for reading a file or response body. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  /**
   * Decides from the first bytes whether the rest of the file is read. To reject the file, it
   * throws an error.
   * @returns the maximum number of bytes that the file may contain
   */
  readonly judge: (start: Uint8Array) => number;
  readonly tooLarge: (limit: number) => Error;
  /** Called with the fraction that has been read, if the length is known. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/**
 * The number of bytes that are checked at the start of a file. In nearly every image file, they
 * contain the width and height.
 */
const START_BYTES = 2 ** 16;

/**
 * Reads all bytes of a file or response body into one buffer. Once `judge` has accepted the file,
 * the buffer grows to the file's size or the response's `Content-Length`. It has to grow further
 * only if a response does not state its length, or states its compressed length.
 * @throws the errors of `judge` and `tooLarge`; CrispenError `ABORTED`; errors of the stream
 */
export async function readAll(
  source: Blob | Response,
  { signal, judge, tooLarge, onProgress }: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const isFile = source instanceof Blob;
  const stated = isFile ? source.size : Number(source.headers.get('content-length') ?? 0);
  const reader = (isFile ? source.stream() : source.body)?.getReader();
  let bytes = new Uint8Array(Math.min(stated, START_BYTES));
  let length = 0;
  let limit: number | null = null;
  const look = () => {
    limit = judge(bytes.subarray(0, length));
    if (Math.max(stated, length) > limit) throw tooLarge(limit);
  };
  try {
    while (reader) {
      throwIfAborted(signal);
      const { done, value } = await reader.read();
      if (done) break;
      if (limit !== null && length + value.length > limit) throw tooLarge(limit);
      if (length + value.length > bytes.length) {
        // Memory for the whole file is allocated only after `judge` has accepted the file.
        const wanted = limit === null ? START_BYTES : Math.max(stated, 2 * bytes.length);
        const larger = new Uint8Array(Math.max(length + value.length, wanted));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(value, length);
      length += value.length;
      if (limit === null && length >= START_BYTES) look();
      if (stated > 0) onProgress?.(Math.min(1, length / stated));
    }
    if (limit === null) look();
  } catch (cause) {
    await reader?.cancel().catch(() => {});
    throwIfAborted(signal);
    throw cause;
  }
  return bytes.subarray(0, length);
}
