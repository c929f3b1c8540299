import { CrispenError, throwIfAborted } from '../errors.ts';

/** A weight file as described in the manifest, which is the list of shipped models. */
export interface WeightFile {
  readonly id: string;
  /** An absolute URL. */
  readonly url: string;
  readonly bytes: number;
  /** The hash as 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** The platform functions that this module uses. Tests pass fake functions. */
export interface WeightPlatform {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /**
   * The browser's caches. Undefined if files should not be cached or the context is insecure. In
   * some private windows, their methods throw.
   */
  readonly caches: Pick<CacheStorage, 'open'> | undefined;
  /**
   * Undefined in insecure contexts, in which this module checks only the file's length. The file's
   * structure is checked later, when the file is parsed.
   */
  readonly digest: Digest | undefined;
}

/** The `digest` function of `crypto.subtle`, which browsers offer only in secure contexts. */
export type Digest = (algorithm: string, bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>;

export interface WeightOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with the downloaded fraction, from 0 to 1. For a cached file, it is called once with 1.
   */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** Returns the SHA-256 hash of bytes as lower-case hexadecimal digits. */
export async function sha256Of(digest: Digest, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await digest('SHA-256', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const CACHE_NAME = 'crispen-weights';

/**
 * Loads the bytes of a weight file from the Cache API or the network, and checks them against the
 * manifest.
 *
 * Cached files are found by URL and hash, so an outdated file is never used for a changed model. A
 * cached file that does not match the manifest is deleted and downloaded again. A download that
 * does not match is repeated once without the HTTP cache, which might contain an outdated file.
 * Cache errors (quota, privacy modes) are logged and otherwise ignored.
 *
 * @throws CrispenError `FETCH_FAILED`, `MODEL_CORRUPT`, `ABORTED`
 */
export async function loadWeightFile(
  file: WeightFile,
  platform: WeightPlatform,
  { signal, onProgress }: WeightOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  throwIfAborted(signal);
  const store = new WeightCache(file, platform.caches);
  const kept = await store.read();
  if (kept) {
    if ((await findFault(file, kept, platform)) === null) {
      onProgress?.(1);
      return kept;
    }
    await store.drop();
  }
  let fault: string | null = null;
  for (const cache of ['default', 'reload'] as const) {
    throwIfAborted(signal);
    const bytes = await download(file, platform, cache, signal, onProgress);
    fault = await findFault(file, bytes, platform);
    if (fault === null) {
      await store.write(bytes);
      return bytes;
    }
  }
  throw new CrispenError('MODEL_CORRUPT', `The weight file of ${file.id} is damaged: ${fault}.`, {
    hint: `Put the original file at ${file.url} and make sure that the server does not change it.`,
  });
}

/** Returns null if the bytes match the manifest, otherwise a description of the difference. */
async function findFault(
  file: WeightFile,
  bytes: Uint8Array<ArrayBuffer>,
  { digest }: WeightPlatform,
): Promise<string | null> {
  if (bytes.length > file.bytes) return `it is longer than its ${file.bytes} bytes`;
  if (bytes.length < file.bytes) return `it ends after ${bytes.length} of ${file.bytes} bytes`;
  if (!digest || (await sha256Of(digest, bytes)) === file.sha256) return null;
  return 'its SHA-256 is not that of the manifest';
}

/**
 * Returns whether a URL belongs to another site. That site might not allow this site to read its
 * files.
 */
const isForeign = (url: string): boolean =>
  new URL(url, globalThis.location?.href).origin !== globalThis.location?.origin;

async function download(
  file: WeightFile,
  platform: WeightPlatform,
  cache: RequestCache,
  signal: AbortSignal | undefined,
  onProgress: ((fraction: number) => void) | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await platform.fetch(file.url, { cache, signal: signal ?? null });
    if (!response.ok) {
      throw new CrispenError(
        'FETCH_FAILED',
        `The weight file of ${file.id} could not be fetched: status ${response.status}.`,
        { hint: `Is it at ${file.url}? The option baseUrl says where the weight files are.` },
      );
    }
    return await readBody(response, file.bytes, onProgress);
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof CrispenError) throw cause;
    throw new CrispenError('FETCH_FAILED', `The weight file of ${file.id} could not be fetched.`, {
      hint: isForeign(file.url)
        ? `Check the connection, and whether this page may read ${file.url} (CORS).`
        : 'Check the connection, then try again. Models that were used before work offline.',
      cause,
    });
  }
}

/**
 * Reads the body. Progress is relative to the length in the manifest, because Content-Length can be
 * the length of the compressed file. Reading stops one byte beyond the length in the manifest. That
 * is enough to detect a file that is too long.
 */
async function readBody(
  response: Response,
  expected: number,
  onProgress: ((fraction: number) => void) | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(expected + 1);
  let length = 0;
  const reader = response.body?.getReader();
  while (reader && length <= expected) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, bytes.length - length);
    bytes.set(part, length);
    length += part.length;
    onProgress?.(Math.min(1, length / expected));
  }
  if (length > expected) await reader?.cancel();
  return bytes.subarray(0, length);
}

/** The cached copy of one file. Cache errors are only logged, because the cache is optional. */
class WeightCache {
  readonly #file: WeightFile;
  readonly #caches: Pick<CacheStorage, 'open'> | undefined;
  readonly #key: string;

  constructor(file: WeightFile, caches: Pick<CacheStorage, 'open'> | undefined) {
    this.#file = file;
    this.#caches = caches;
    const key = new URL(file.url);
    key.hash = '';
    key.searchParams.set('sha256', file.sha256);
    this.#key = key.href;
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#attempt(async (cache) => {
      const response = await cache.match(this.#key);
      return response ? new Uint8Array(await response.arrayBuffer()) : null;
    });
  }

  async drop(): Promise<void> {
    await this.#attempt((cache) => cache.delete(this.#key));
  }

  /** Stores the bytes, and removes other cached versions of the same file. */
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#attempt(async (cache) => {
      for (const request of await cache.keys()) {
        if (sameFile(request.url, this.#key)) await cache.delete(request);
      }
      await cache.put(this.#key, new Response(bytes));
    });
  }

  async #attempt<T>(work: (cache: Cache) => Promise<T>): Promise<T | null> {
    if (!this.#caches) return null;
    try {
      return await work(await this.#caches.open(CACHE_NAME));
    } catch (error) {
      console.warn(`Crispen: weights of ${this.#file.id} are not kept:`, error);
      return null;
    }
  }
}

function sameFile(a: string, b: string): boolean {
  const [first, second] = [new URL(a), new URL(b)];
  return first.origin === second.origin && first.pathname === second.pathname;
}
