/**
 * The lifetime of a buffer. `first` is the index of the first dispatch that writes it, and `last`
 * is the index of the last dispatch that uses it.
 */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

export interface MemoryPlan {
  /** The slot of lifetime `i` is `slotOf[i]`. Buffers of zero bytes have no slot. */
  readonly slotOf: readonly number[];
  /** The size of each slot in bytes. */
  readonly slotBytes: readonly number[];
  readonly totalBytes: number;
}

/**
 * Assigns lifetimes greedily to reusable slots and keeps the slots small. The lifetimes are
 * processed in order of first use. Each one takes the free slot with the tightest fit. If no free
 * slot is large enough, the largest free slot grows. If no slot is free, a new one is added.
 * Buffers of zero bytes get no slot. A slot is free again when the lifetime in it has ended, so
 * lifetimes in one slot never overlap.
 */
export function planMemory(lifetimes: readonly Lifetime[]): MemoryPlan {
  const slotBytes: number[] = [];
  const busyUntil: number[] = [];
  const slotOf: number[] = new Array(lifetimes.length);
  const used = lifetimes.flatMap(({ bytes }, i) => (bytes > 0 ? [i] : []));
  const order = used.sort((a, b) => lifetimes[a].first - lifetimes[b].first);
  for (const i of order) {
    const { bytes, first, last } = lifetimes[i];
    const free = slotBytes.map((_, slot) => slot).filter((slot) => busyUntil[slot] < first);
    const fitting = free.filter((slot) => slotBytes[slot] >= bytes);
    const by = (a: number, b: number) => slotBytes[a] - slotBytes[b];
    const slot = fitting.sort(by)[0] ?? free.sort(by).at(-1) ?? slotBytes.length;
    slotBytes[slot] = Math.max(slotBytes[slot] ?? 0, bytes);
    busyUntil[slot] = last;
    slotOf[i] = slot;
  }
  return { slotOf, slotBytes, totalBytes: slotBytes.reduce((a, b) => a + b, 0) };
}
