/** Looks up, measures and stores the kernel tuning for an adapter. */
import type { Device } from '../engine/gpu/device.ts';
import { choiceOf } from '../engine/tune/choice.ts';
import type { TuneOptions, TuneResult } from '../engine/tune/measure.ts';
import type { QuickOptions, QuickResult } from '../engine/tune/quick.ts';
import { type Tuning, tuningFor, tuningOf } from '../engine/tune/tuning.ts';
import type { AdapterReport } from '../engine/types.ts';
import type { TuneMode } from './protocol.ts';

/** The modes of tuning that use measurements. */
export type Measured = Exclude<TuneMode, 'off'>;

/**
 * A store for JSON values. Its methods can throw, for example in private windows or when the quota
 * is exceeded. Callers ignore these errors.
 */
export interface TuningStore {
  /** Returns the value of a key, or null if there is none. */
  read(key: string): Promise<unknown>;
  write(key: string, value: unknown): Promise<void>;
}

/** The platform's services that this module uses. Tests pass fake services. */
export interface TunedPlatform {
  readonly measure: (options: TuneOptions) => Promise<TuneResult>;
  /** The store for the measurements' results. If it is undefined, results are not stored. */
  readonly store: TuningStore | undefined;
  /**
   * The user agent is part of each key in the store. A browser update can change the speed of
   * kernels, so results that were measured in an older version of the browser are not used.
   */
  readonly userAgent: string;
}

/**
 * The version of the measurements. It is incremented when changes to kernels make old measurements
 * invalid.
 */
const VERSION = '3';
const CACHE_NAME = 'crispen-tuning';
/**
 * The time limit for a measurement, in milliseconds. If a measurement exceeds it, the tuning comes
 * from the table of adapter families (`FAMILIES` in `engine/tune/tuning.ts`).
 */
const PATIENCE_MS = 120_000;

/**
 * @param origin the page's origin; the cache keys are URLs of this origin, but are never fetched
 */
export const cacheStore = (caches: Pick<CacheStorage, 'open'>, origin: string): TuningStore => {
  const urlOf = (key: string) => new URL(`/crispen-tuning?${key}`, origin).href;
  return {
    async read(key) {
      const response = await (await caches.open(CACHE_NAME)).match(urlOf(key));
      return response ? response.json() : null;
    },
    async write(key, value) {
      await (await caches.open(CACHE_NAME)).put(urlOf(key), Response.json(value));
    },
  };
};

/**
 * Finds the tuning for an adapter.
 * - `full`: reads the store. If it has no entry, measures immediately, which takes a few seconds.
 *   Software adapters are slow, so only their convolutions are measured, on maps of 16 x 16 pixels,
 *   and the fusion level comes from the table of adapter families (`FAMILIES`). If the measurement
 *   fails, all choices come from this table, and the next call measures again.
 * - `quick`: reads the result of a full measurement from the store or, if there is none, the result
 *   of a quick measurement. If the store has neither, the tuning comes from the table.
 */
export async function tunedFor(
  adapter: AdapterReport,
  mode: Measured,
  platform: TunedPlatform,
): Promise<Tuning> {
  const kept = await keptChoice(adapter, mode, platform);
  if (kept) return tuningOf(kept, adapter);
  if (mode === 'quick') return tuningFor(adapter);
  const software = adapter.isFallbackAdapter;
  const side = software ? 16 : 128;
  try {
    const { best } = await platform.measure({
      sizes: [{ width: side, height: side }],
      repeats: 3,
      fusions: software ? [] : ['ops', 'blocks'],
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await attempt(platform, (store) => store.write(keyOf(adapter, mode, platform), best));
    return await tuningOf(best, adapter);
  } catch (error) {
    console.warn('Crispen: this adapter could not be measured:', error);
    return tuningFor(adapter);
  }
}

/**
 * Quickly measures which convolution variants are fastest on an adapter, and stores the result for
 * engines that are created later. Does nothing if the adapter is a software adapter, if a result is
 * already stored, or if there is no store.
 * @returns whether a new result was measured
 * @throws CrispenError `ABORTED`, `DEVICE_LOST`; after an error, nothing is stored
 */
export async function tuneOnce(
  device: Device,
  platform: Kept,
  options: QuickOptions = {},
  measure: (device: Device, options: QuickOptions) => Promise<QuickResult | null> = quickly,
): Promise<boolean> {
  const { adapter } = device;
  if (adapter.isFallbackAdapter || !platform.store) return false;
  if (await keptChoice(adapter, 'quick', platform)) return false;
  const result = await measure(device, options);
  if (!result) return false;
  const key = keyOf(adapter, 'quick', platform);
  await attempt(platform, (store) => store.write(key, result.choice));
  return true;
}

/** `quick.ts` is loaded lazily, because it includes all kernel variants. */
const quickly = async (device: Device, options: QuickOptions) =>
  (await import('../engine/tune/quick.ts')).tuneQuickly(device, options);

type Kept = Pick<TunedPlatform, 'store' | 'userAgent'>;

async function keptChoice(adapter: AdapterReport, mode: Measured, platform: Kept) {
  const modes = mode === 'full' ? (['full'] as const) : (['full', 'quick'] as const);
  for (const one of modes) {
    const key = keyOf(adapter, one, platform);
    const kept = await attempt(platform, (store) => store.read(key));
    const choice = choiceOf(kept as Parameters<typeof choiceOf>[0]);
    if (choice) return choice;
  }
  return null;
}

function keyOf(adapter: AdapterReport, mode: Measured, { userAgent }: Kept): string {
  const { vendor, architecture, device, description } = adapter;
  const values = { vendor, architecture, device, description, userAgent };
  return String(new URLSearchParams({ version: VERSION, mode, ...values }));
}

async function attempt<T>(
  { store }: Kept,
  work: (store: TuningStore) => Promise<T>,
): Promise<T | null> {
  try {
    return store ? await work(store) : null;
  } catch {
    return null;
  }
}
