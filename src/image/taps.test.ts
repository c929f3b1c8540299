import { describe, expect, it } from 'vitest';
import { axisTaps, type ResampleKernel, tapRuns } from './taps.ts';

const SIZES = [
  [1, 1],
  [1, 9],
  [9, 1],
  [2, 31],
  [31, 2],
  [16, 16],
  [100, 75],
  [40, 108],
  [1000, 7],
] as const;

describe.each<ResampleKernel>(['bicubic', 'lanczos3'])('%s as runs', (kernel) => {
  it.each(SIZES)('%i to %i: the same sums of the same positions', (from, to) => {
    const taps = axisTaps(from, to, kernel);
    const runs = tapRuns(from, to, kernel);
    for (let i = 0; i < to; i++) {
      const dense = new Float64Array(from);
      for (let t = i * taps.count; t < (i + 1) * taps.count; t++) {
        dense[taps.positions[t]] += taps.weights[t];
      }
      for (let t = 0; t < runs.count; t++)
        dense[runs.first[i] + t] -= runs.weights[i * runs.count + t];
      expect(Math.max(...dense.map(Math.abs))).toBeLessThan(1e-7);
    }
  });

  it.each(SIZES)('%i to %i: runs lie within the source and never go back', (from, to) => {
    const { first, count } = tapRuns(from, to, kernel);
    expect(first[0]).toBe(0);
    expect([...first]).toEqual([...first].sort((a, b) => a - b));
    expect(first[to - 1] + count).toBeLessThanOrEqual(from);
    expect(count).toBeLessThanOrEqual(Math.ceil(6 * Math.max(1, from / to)) + 1);
  });
});
