import { expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { Device } from '../gpu/device.ts';
import { tuneQuickly } from './quick.ts';

/** Creates a device that claims to be a real NVIDIA GPU. */
async function realDevice(): Promise<Device> {
  const { gpu, adapter } = await Device.open(testGpu());
  return new Device(gpu, {
    ...adapter,
    vendor: 'nvidia',
    architecture: 'hopper',
    device: '',
    description: '',
    isFallbackAdapter: false,
  });
}
const small = { side: 40, budgetMs: 60_000 };

it('times at least three candidates on two layers, the choice of the table among them', async () => {
  const device = await realDevice();
  try {
    const result = await tuneQuickly(device, small);
    const methods = result?.timed
      .filter(([element]) => element === 'f32')
      .map(([, method]) => method);
    expect(methods?.[0]).toBe('shared');
    expect(methods?.length).toBeGreaterThanOrEqual(3);
    expect(methods?.length).toBeLessThanOrEqual(6);
    const times = new Map(
      result?.timed.map(([element, method, ms]) => [`${element} ${method}`, ms]),
    );
    const { choice } = result ?? {};
    expect(choice).toMatchObject({ fuse: 'ops', tileColumns: 16 });
    expect(times.get(`f32 ${choice?.conv}`)).toBe(Math.min(...times.values()));
    expect(result?.spentMs).toBeLessThanOrEqual(small.budgetMs);
  } finally {
    device.abandon('the test is over');
  }
});

it('stops within its budget, and measures nothing on a software adapter', async () => {
  const device = await realDevice();
  try {
    const none = await tuneQuickly(device, { ...small, budgetMs: 0 });
    // With a time budget of 0 ms, only one run of the first variant is measured. After that, no
    // time is left, so no variant is fully timed.
    expect(none).toBeNull();
    await expect(tuneQuickly(device, { ...small, signal: AbortSignal.abort() })).rejects.toThrow(
      /cancel|abort/i,
    );
    const software = new Device(device.gpu, { ...device.adapter, isFallbackAdapter: true });
    expect(await tuneQuickly(software, small)).toBeNull();
  } finally {
    device.abandon('the test is over');
  }
});
