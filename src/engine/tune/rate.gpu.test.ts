import { expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { findModel } from '../../catalog/files.ts';
import { shippedNetwork } from '../../catalog/network.ts';
import { Engine } from '../engine.ts';
import { Device } from '../gpu/device.ts';
import { Pace } from '../gpu/pace.ts';
import { estimateOnGpu, measureRate } from './rate.ts';
import { tuningOf } from './tuning.ts';

const size = { width: 100, height: 80 };
const network = await shippedNetwork(findModel('a2n-photo-x2'));

it('times a convolution once per device, and estimates in proportion to the work', async () => {
  const { gpu, adapter } = await Device.open(testGpu());
  // Claims to be a real GPU.
  const device = new Device(gpu, { ...adapter, isFallbackAdapter: false });
  try {
    const tuning = await tuningOf({ conv: 'plain', fuse: 'ops', tileColumns: 8 }, adapter);
    const rate = await measureRate(device, tuning, 'f32', 24);
    // Multiply-adds per millisecond: from a very busy core to a large GPU.
    expect(rate).toBeGreaterThan(1e4);
    expect(rate).toBeLessThan(1e11);
    const parts = { device, tuning, pace: new Pace(() => 8, false), memoryBudget: 2 ** 30 };
    const started = performance.now();
    const first = await estimateOnGpu(parts, network, size, 'f32');
    const took = performance.now() - started;
    const again = performance.now();
    const second = await estimateOnGpu(parts, network, { ...size, height: 160 }, 'f32');
    expect(second / first).toBeCloseTo(2, 9);
    expect(performance.now() - again).toBeLessThan(took / 2);
  } finally {
    device.abandon('the test is over');
  }
});

it('expects of a software adapter what its last job took', async () => {
  const engine = await Engine.create({ gpu: testGpu() });
  try {
    if (!engine.adapter.isFallbackAdapter) return;
    const estimate = () =>
      engine.run((parts) => estimateOnGpu(parts, network, { width: 20, height: 20 }, 'f32'));
    const usual = await estimate();
    expect(usual).toBeGreaterThan(50);
    await engine.run(async ({ pace }) => {
      const slower = new Pace(() => 1, true);
      const done = new Promise((resolve) => setTimeout(resolve, 20));
      await slower.submitted(1e4, done);
      await slower.drain();
      pace.learnFrom(slower);
    });
    expect(await estimate()).toBeGreaterThan(usual * 1.5);
  } finally {
    engine.destroy();
  }
});
