/** The resources that are held while jobs run. */
export interface Held {
  readonly buffers: number;
  readonly bytes: number;
  readonly heap: number;
  readonly process: number;
}

export interface SoakCounts {
  images: number;
  wrong: number;
  stuck: number;
  untyped: number;
  /** The samples after the first tenth of the run and at its end (`endsOf`). */
  readonly held: { first: Held; last: Held };
  flat: boolean;
}

const MIB = 2 ** 20;

/**
 * Growth up to these values is not a leak. It comes from caches, fragmentation and newly compiled
 * code.
 */
const SLACK: Held = { buffers: 0, bytes: 0, heap: 4 * MIB, process: 48 * MIB };

export const isFlat = (first: Held, last: Held): boolean =>
  (Object.keys(SLACK) as (keyof Held)[]).every((key) => last[key] <= first[key] + SLACK[key]);

/**
 * The number of final samples to use. Several are used, because garbage collection makes a
 * process's size vary.
 */
const LATEST = 4;

/**
 * Returns the first and the last sample. In the last sample, the process size is the lowest recent
 * value.
 */
export function endsOf(samples: readonly Held[]): { readonly first: Held; readonly last: Held } {
  const latest = samples.slice(-LATEST);
  const process = Math.min(...latest.map((held) => held.process));
  return { first: samples[0], last: { ...latest[latest.length - 1], process } };
}

export const told = ({ buffers, bytes, heap, process }: Held): string =>
  `${buffers} buffers of ${(bytes / 1024).toFixed(0)} KiB, heap ${(heap / MIB).toFixed(1)} MiB, process ${(process / MIB).toFixed(0)} MiB`;
