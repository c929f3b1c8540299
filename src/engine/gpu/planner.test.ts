import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../test/random.ts';
import { type Lifetime, planMemory } from './planner.ts';

describe('planMemory', () => {
  it('reuses a slot once its reader has run, not while it runs', () => {
    const chain: Lifetime[] = [
      { bytes: 10, first: 0, last: 1 },
      { bytes: 10, first: 1, last: 2 },
      { bytes: 10, first: 2, last: 3 },
    ];
    expect(planMemory(chain)).toEqual({ slotOf: [0, 1, 0], slotBytes: [10, 10], totalBytes: 20 });
  });

  it('never lets overlapping lifetimes share a slot and never undersizes one', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const next = randomStream(seed);
      const lifetimes = Array.from({ length: 40 }, () => {
        const first = Math.floor(next() * 50);
        return {
          bytes: 1 + Math.floor(next() * 1000),
          first,
          last: first + Math.floor(next() * 9),
        };
      });
      const { slotOf, slotBytes } = planMemory(lifetimes);
      lifetimes.forEach((a, i) => {
        expect(slotBytes[slotOf[i]]).toBeGreaterThanOrEqual(a.bytes);
        lifetimes.slice(i + 1).forEach((b, k) => {
          const apart = a.last < b.first || b.last < a.first;
          if (slotOf[i] === slotOf[i + 1 + k]) expect(apart).toBe(true);
        });
      });
    }
  });

  it('needs no more than the peak of a simple chain with a long-lived skip', () => {
    const skip = { bytes: 100, first: 0, last: 20 };
    const chain = Array.from({ length: 20 }, (_, i) => ({ bytes: 100, first: i + 1, last: i + 2 }));
    expect(planMemory([skip, ...chain]).totalBytes).toBe(300);
  });
});
