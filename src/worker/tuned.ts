/** Tuning on first use: measures the fastest kernel variants once and keeps the result. */
import { choiceOf, type TuneOptions, type TuneResult } from '../engine/tune/measure.ts';
import { familyOf, type Tuning, tuningOf } from '../engine/tune/tuning.ts';
import type { AdapterReport } from '../engine/types.ts';

export { tune } from '../engine/tune/measure.ts';

/** The used part of the platform. Tests pass their own. */
export interface TunedPlatform {
  readonly measure: (options: TuneOptions) => Promise<TuneResult>;
  /** Undefined: nothing is kept. */
  readonly caches: Pick<CacheStorage, 'open'> | undefined;
  /** The page's origin. Cached figures have URLs there, which are never fetched. */
  readonly origin: string;
  /** Drivers change with the browser. */
  readonly userAgent: string;
}

/** Increased when kernels change so much that old measurements are invalid. */
const VERSION = 2;
const CACHE_NAME = 'crispen-tuning';
/** Slower adapters are not worth the wait. */
const PATIENCE_MS = 120_000;

/**
 * The fastest variants on an adapter: from the cache, or measured now, which takes a few seconds.
 * On a software adapter, where a run takes as long as compiling, the measurement is small and uses
 * the table's fusion level. If anything fails, the table of families decides, and the next visit
 * tries again.
 */
export async function tunedFor(adapter: AdapterReport, platform: TunedPlatform): Promise<Tuning> {
  const kept = await attempt(platform, async (cache) => {
    const response = await cache.match(keyOf(adapter, platform));
    return response ? choiceOf(await response.json()) : null;
  });
  if (kept) return tuningOf(kept, adapter);
  const software = adapter.isFallbackAdapter;
  const side = software ? 16 : 128;
  try {
    const { best } = await platform.measure({
      sizes: [{ width: side, height: side }],
      repeats: 3,
      fusions: software ? [] : ['ops', 'blocks'],
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await attempt(platform, (cache) => cache.put(keyOf(adapter, platform), Response.json(best)));
    return await tuningOf(best, adapter);
  } catch (error) {
    console.warn('Crispen: this adapter could not be measured:', error);
    return tuningOf(familyOf(adapter), adapter);
  }
}

function keyOf(adapter: AdapterReport, { origin, userAgent }: TunedPlatform): string {
  const { vendor, architecture, device, description } = adapter;
  const key = new URL('/crispen-tuning', origin);
  const parts = { version: String(VERSION), vendor, architecture, device, description, userAgent };
  for (const [name, value] of Object.entries(parts)) key.searchParams.set(name, value);
  return key.href;
}

/** Failures of the cache (quota, privacy modes) only mean that nothing is kept. */
async function attempt<T>(
  { caches }: TunedPlatform,
  work: (cache: Cache) => Promise<T>,
): Promise<T | null> {
  try {
    return caches ? await work(await caches.open(CACHE_NAME)) : null;
  } catch {
    return null;
  }
}
