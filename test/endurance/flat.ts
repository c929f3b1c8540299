/** What is held while jobs run. */
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
  /** After the first tenth, and at the end (`endsOf`). */
  readonly held: { first: Held; last: Held };
  flat: boolean;
}

const MIB = 2 ** 20;

/** Growth that is no leak: caches, fragmentation, code that was compiled meanwhile. */
const SLACK: Held = { buffers: 0, bytes: 0, heap: 4 * MIB, process: 48 * MIB };

export const isFlat = (first: Held, last: Held): boolean =>
  (Object.keys(SLACK) as (keyof Held)[]).every((key) => last[key] <= first[key] + SLACK[key]);

/** Samples at the end that count: the size of a process goes up and down with collections. */
const LATEST = 4;

/** The first sample, and the last one with the lowest size that the process had lately. */
export function endsOf(samples: readonly Held[]): { readonly first: Held; readonly last: Held } {
  const latest = samples.slice(-LATEST);
  const process = Math.min(...latest.map((held) => held.process));
  return { first: samples[0], last: { ...latest[latest.length - 1], process } };
}

export const told = ({ buffers, bytes, heap, process }: Held): string =>
  `${buffers} buffers of ${(bytes / 1024).toFixed(0)} KiB, heap ${(heap / MIB).toFixed(1)} MiB, process ${(process / MIB).toFixed(0)} MiB`;
