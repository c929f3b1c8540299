/** Decodes image sources from the page, and fetches URLs. */
import { decodeImage } from '../codecs/decode.ts';
import type { Carrier } from '../codecs/source.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { DecodedImage } from '../image/tags.ts';
import type { WireSource } from './protocol.ts';

export async function readSource(
  source: WireSource,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<DecodedImage> {
  if (source.kind === 'blob') return decodeImage(source.blob, carrier);
  if (source.kind === 'bitmap') return decodeImage(source.bitmap);
  if (source.kind === 'pixels') return decodeImage(source.image);
  if (source.kind === 'mosaic') {
    return decodeImage((await import('../image/bayer.ts')).demosaicBilinear(source.mosaic));
  }
  return decodeImage(await fetchBlob(source.url, signal), carrier);
}

async function fetchBlob(url: string, signal: AbortSignal): Promise<Blob> {
  const response = await request(url, 'image', signal);
  try {
    return await response.blob();
  } catch (cause) {
    throwIfAborted(signal);
    throw fetchFailed(url, 'image', cause);
  }
}

/** A successful response. @throws CrispenError `FETCH_FAILED`, `ABORTED` */
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
  throw new CrispenError(
    'FETCH_FAILED',
    `The ${what} at ${url} could not be fetched: status ${response.status}.`,
    { hint: 'Check the address.' },
  );
}

function fetchFailed(url: string, what: 'image' | 'model', cause: unknown): CrispenError {
  return new CrispenError('FETCH_FAILED', `The ${what} at ${url} could not be fetched.`, {
    hint: 'Check the address and the connection. Another site must allow it (CORS).',
    cause,
  });
}
