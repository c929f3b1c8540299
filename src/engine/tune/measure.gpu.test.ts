import { expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { tune } from './measure.ts';
import { CONV_VARIANTS } from './tuning.ts';

it('measures every variant that the adapter can run, each checked against the reference', async () => {
  const { measurements, adapter, best } = await tune(testGpu(), {
    // A map of the second size has many rows, so only its first, middle and last rows are checked.
    sizes: [
      { width: 9, height: 5 },
      { width: 5, height: 131 },
    ],
    repeats: 1,
    fusions: [],
  });
  const able = Object.values(CONV_VARIANTS).filter(({ offered }) => offered(adapter));
  expect(measurements).toHaveLength(2 * 3 * able.length);
  for (const { error, difference, milliseconds } of measurements) {
    expect(error).toBeNull();
    expect(difference).toBeLessThan(1e-5);
    expect(milliseconds).toBeGreaterThanOrEqual(0);
  }
  expect(['quad', ...Object.keys(CONV_VARIANTS)]).toContain(best.conv);
});
