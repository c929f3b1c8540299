import { expect, it } from 'vitest';
import { picture } from '../../test/pictures.ts';
import { GraphBuilder } from '../graph/graph.ts';
import { chooseModel } from '../node/model.ts';
import { openCrew } from '../node/threads.ts';
import { estimateMilliseconds, measureSpeed } from './estimate.ts';
import { CpuModel } from './model.ts';
import { upscale } from './upscale.ts';

// Other programs can slow down the machine between the estimate and the job, so a failed test is
// repeated.
it.each([
  ['a2n-photo-x2', 1],
  ['pan-x2', 1],
  ['pan-photo-x4', 1],
  ['a2n-jpeg-x1', 1],
  ['a2n-photo-x2', 2],
] as const)(
  '%s on %i threads takes what was estimated, within three times',
  { retry: 4 },
  async (id, threads) => {
    const { network, weights } = await chooseModel({ model: id });
    const crew = openCrew(threads);
    try {
      const model = await CpuModel.load(network, weights, { crew });
      await upscale(model, picture(8, 8));
      const estimated = await estimateMilliseconds(network, 80, 60, await measureSpeed(crew));
      const { report } = await upscale(model, picture(80, 60));
      expect(report.milliseconds / estimated).toBeGreaterThan(1 / 3);
      expect(report.milliseconds / estimated).toBeLessThan(3);
    } finally {
      crew.close();
    }
  },
);

it('counts pixels, threads with a memory of their own, and a pass for the statistics', async () => {
  const { network } = await chooseModel({ model: 'a2n-photo-x2' });
  const speed = { perMultiplyAdd: 1e-7, perValue: 1e-7 };
  const time = (width: number, height: number, threads = 1) =>
    estimateMilliseconds(network, width, height, speed, threads);
  const one = await time(100, 100);
  expect(await time(200, 300)).toBeCloseTo(6 * one, 3);
  // Each of the two threads processes 436 of the 800 rows: its own band of 400 rows, and 36 rows of
  // the other band.
  expect(await time(100, 800, 2)).toBeCloseTo((8 * one * 436) / 800, 3);
  expect(await time(100, 20, 7)).toBeCloseTo(one / 5, 3);
  expect(await time(1000, 1000)).toBeCloseTo(200 * one, 1);
  await expect(time(0, 5)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

it('counts what a convolution computes, which is more than its products', async () => {
  const time = (cOut: number) => {
    const b = new GraphBuilder();
    const spec = { layer: 'conv', kernel: 1, cOut, bias: false } as const;
    const graph = b.build(b.conv('y', b.input('x', 40), spec));
    const network = { architecture: 'none', scale: 1, inputRange: 1, graph };
    return estimateMilliseconds(network, 10, 10, { perMultiplyAdd: 1, perValue: 0 });
  };
  // The result has 100 pixels with 4 channels. Each of its values is a sum of 40 products, and
  // starting and finishing a sum costs as much as 10 more products. The factor 1.5 accounts for
  // other costs, such as waiting for threads.
  expect(await time(4)).toBeCloseTo(1.5 * 100 * 4 * (40 + 10), 6);
  // Channels are computed in groups of four, so one channel costs as much as four.
  expect(await time(1)).toBe(await time(4));
});
