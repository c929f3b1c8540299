import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { loadWeightFile, type WeightFile, type WeightPlatform } from './models.ts';

const GOOD = Uint8Array.from({ length: 5000 }, (_, i) => (i * 31) & 255);
const BAD = GOOD.with(1234, GOOD[1234] ^ 1);
const URL_OF_FILE = 'https://example.org/models/m.safetensors';
const FILE: WeightFile = {
  id: 'm',
  url: URL_OF_FILE,
  bytes: GOOD.length,
  sha256: createHash('sha256').update(GOOD).digest('hex'),
};

/** An in-memory cache with the Cache API methods that the loader uses. */
class MemoryCache {
  readonly entries = new Map<string, Uint8Array<ArrayBuffer>>();
  async match(url: string) {
    const bytes = this.entries.get(url);
    return bytes && new Response(bytes);
  }
  async put(url: string, response: Response) {
    this.entries.set(url, new Uint8Array(await response.arrayBuffer()));
  }
  async delete(key: string | { url: string }) {
    return this.entries.delete(typeof key === 'string' ? key : key.url);
  }
  async keys() {
    return [...this.entries.keys()].map((url) => ({ url }));
  }
}

/**
 * Creates a platform with a fake `fetch` that returns the given responses in turn. `modes` records
 * each request's cache mode.
 */
function platform(
  responses: (() => Response | Promise<Response>)[],
  cache?: MemoryCache,
): WeightPlatform & { modes: (string | undefined)[] } {
  const modes: (string | undefined)[] = [];
  return {
    modes,
    fetch: async (_, init) => {
      modes.push(init.cache);
      const next = responses.shift();
      if (!next) throw new Error('one request too many');
      return next();
    },
    caches: cache && { open: async () => cache as unknown as Cache },
    digest: (algorithm, bytes) => crypto.subtle.digest(algorithm, bytes),
  };
}

const body = (bytes: Uint8Array<ArrayBuffer>) => () => new Response(bytes);

/** Creates a response whose body arrives in several pieces, like a real download. */
const pieces = (bytes: Uint8Array<ArrayBuffer>, size: number) => () => {
  let at = 0;
  const stream = new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
  return new Response(stream);
};

describe('loadWeightFile', () => {
  it('reports the bytes as they come', async () => {
    const seen: number[] = [];
    const onProgress = (fraction: number) => seen.push(fraction);
    const bytes = await loadWeightFile(FILE, platform([pieces(GOOD, 1000)]), { onProgress });
    expect(bytes).toEqual(GOOD);
    expect(seen).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  });

  it('keeps the file and needs no network the second time', async () => {
    const cache = new MemoryCache();
    const network = platform([body(GOOD)], cache);
    await loadWeightFile(FILE, network);
    const onProgress = vi.fn();
    expect(await loadWeightFile(FILE, network, { onProgress })).toEqual(GOOD);
    expect(network.modes).toHaveLength(1);
    expect(onProgress.mock.calls).toEqual([[1]]);
  });

  it('drops a damaged kept file and fetches it once more', async () => {
    const cache = new MemoryCache();
    await loadWeightFile(FILE, platform([body(GOOD)], cache));
    const [key] = cache.entries.keys();
    cache.entries.set(key, BAD);
    expect(await loadWeightFile(FILE, platform([body(GOOD)], cache))).toEqual(GOOD);
    expect(cache.entries.get(key)).toEqual(GOOD);
  });

  it('keeps one version of a file', async () => {
    const cache = new MemoryCache();
    await loadWeightFile(FILE, platform([body(GOOD)], cache));
    const sha256 = createHash('sha256').update(BAD).digest('hex');
    await loadWeightFile({ ...FILE, sha256 }, platform([body(BAD)], cache));
    expect([...cache.entries.values()]).toEqual([BAD]);
  });

  it('goes past a stale HTTP cache', async () => {
    const network = platform([body(BAD), body(GOOD)]);
    expect(await loadWeightFile(FILE, network)).toEqual(GOOD);
    expect(network.modes).toEqual(['default', 'reload']);
  });

  it.each([
    ['flipped bit', BAD, 'SHA-256'],
    ['empty file', new Uint8Array(0), 'ends after 0 of 5000'],
    ['short file', GOOD.slice(0, 4999), 'ends after 4999'],
    ['long file', new Uint8Array(100_000), 'longer than its 5000'],
  ])('refuses a %s and keeps nothing', async (_, bytes, words) => {
    const cache = new MemoryCache();
    const load = loadWeightFile(FILE, platform([body(bytes), body(bytes)], cache));
    await expect(load).rejects.toMatchObject({
      code: 'MODEL_CORRUPT',
      message: expect.stringContaining(words),
    });
    expect(cache.entries.size).toBe(0);
  });

  it('checks the length where there is no hash function', async () => {
    const insecure = (bytes: Uint8Array<ArrayBuffer>) => ({
      ...platform([body(bytes), body(bytes)]),
      digest: undefined,
    });
    expect(await loadWeightFile(FILE, insecure(GOOD))).toEqual(GOOD);
    await expect(loadWeightFile(FILE, insecure(GOOD.slice(1)))).rejects.toMatchObject({
      code: 'MODEL_CORRUPT',
    });
  });

  it('works when the cache refuses: no permission, no room', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const denied = platform([body(GOOD)]);
    const open = () => Promise.reject(new DOMException('denied', 'SecurityError'));
    expect(await loadWeightFile(FILE, { ...denied, caches: { open } })).toEqual(GOOD);

    const full = new MemoryCache();
    full.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
    expect(await loadWeightFile(FILE, platform([body(GOOD)], full))).toEqual(GOOD);
    vi.restoreAllMocks();
  });

  it('names the status, the URL and the network as causes', async () => {
    const missing = platform([() => new Response('', { status: 404 })]);
    await expect(loadWeightFile(FILE, missing)).rejects.toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringContaining('404'),
      hint: expect.stringContaining(URL_OF_FILE),
    });
    const offline = platform([() => Promise.reject(new TypeError('Failed to fetch'))]);
    await expect(loadWeightFile(FILE, offline)).rejects.toMatchObject({
      code: 'FETCH_FAILED',
      hint: expect.stringContaining('CORS'),
    });
  });

  it('speaks of CORS only to readers of another site', async () => {
    vi.stubGlobal('location', new URL('https://example.org/page'));
    try {
      const offline = platform([() => Promise.reject(new TypeError('Failed to fetch'))]);
      await expect(loadWeightFile(FILE, offline)).rejects.toMatchObject({
        hint: 'Check the connection, then try again. Models that were used before work offline.',
      });
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('stops when it is cancelled, before and during the download', async () => {
    const before = platform([]);
    const fired = loadWeightFile(FILE, before, { signal: AbortSignal.abort() });
    await expect(fired).rejects.toMatchObject({ code: 'ABORTED' });
    expect(before.modes).toHaveLength(0);

    const controller = new AbortController();
    const failing = () => {
      const stream = new ReadableStream({
        pull(c) {
          controller.abort();
          c.error(new DOMException('aborted', 'AbortError'));
        },
      });
      return new Response(stream);
    };
    const load = loadWeightFile(FILE, platform([failing]), { signal: controller.signal });
    await expect(load).rejects.toMatchObject({ code: 'ABORTED', name: 'AbortError' });
  });
});
