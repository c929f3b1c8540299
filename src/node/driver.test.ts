import { expect, it } from 'vitest';
import { tellApart } from './driver.ts';

type Power = GPUPowerPreference;

/**
 * Creates a fake GPU object. `names` contains the name of the adapter for each power preference. A
 * preference without a name has no adapter.
 */
function fake(names: Partial<Record<Power, string>>): GPU {
  return {
    requestAdapter: async ({ powerPreference }: GPURequestAdapterOptions = {}) => {
      const name = powerPreference && names[powerPreference];
      if (!name) return null;
      const isFallbackAdapter = name.startsWith('software');
      const info = { vendor: 'v', architecture: '', device: '', description: name };
      return {
        info: { ...info, isFallbackAdapter },
        isFallbackAdapter,
        features: new Set(),
        limits: {},
      };
    },
  } as unknown as GPU;
}

it('every real adapter counts once, whatever gives it', async () => {
  const gpus = [
    fake({ 'high-performance': 'large', 'low-power': 'small' }),
    fake({ 'high-performance': 'large', 'low-power': 'large' }),
    fake({ 'high-performance': 'other' }),
    fake({ 'high-performance': 'software' }),
    fake({}),
  ];
  const found = await tellApart(gpus);
  const adapters = await Promise.all(found.map((gpu) => gpu.requestAdapter()));
  expect(adapters.map((adapter) => adapter?.info.description)).toEqual(['large', 'small', 'other']);
});
