/** First-run tuning: which variants of kernels are the fastest here, measured once and kept. */
import { choiceOf, type TuneOptions, type TuneResult } from '../engine/tune/measure.ts';
import { familyOf, type Tuning, tuningOf } from '../engine/tune/tuning.ts';
import type { AdapterReport } from '../engine/types.ts';

export { tune } from '../engine/tune/measure.ts';

/** What is used of the platform; tests hand in their own. */
export interface TunedPlatform {
  readonly measure: (options: TuneOptions) => Promise<TuneResult>;
  /** Undefined: nothing is kept. */
  readonly caches: Pick<CacheStorage, 'open'> | undefined;
  /** Of the page: kept figures have addresses there, which nobody fetches. */
  readonly origin: string;
  /** Drivers change with the browser. */
  readonly userAgent: string;
}

/** Raised when kernels change so much that what was measured says nothing any more. */
const VERSION = 2;
const CACHE_NAME = 'crispen-tuning';
/** Whoever is slower is not worth the wait. */
const PATIENCE_MS = 120_000;

/**
 * The fastest variants on an adapter: as they were found once, else measured now, which takes a few
 * seconds. A software adapter, where a run takes as long as compiling, is measured at a small size and
 * fused no further than the table says. Where anything fails the table of families decides, and the
 * next visit tries again.
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

/** Failures of the cache (quota, privacy modes) are those of a cache: nothing is kept. */
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
