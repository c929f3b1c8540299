import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createNetwork } from '../../networks/registry.ts';
import { lower } from '../compile/lower.ts';
import { Pace } from './pace.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] }));
afterEach(() => vi.useRealTimers());

/** Runs submissions one after another on a fake GPU that processes `rate` units of work per ms. */
async function run(pace: Pace, rate: number, submissions: number): Promise<number[]> {
  const sizes: number[] = [];
  let busy = Promise.resolve();
  for (let i = 0; i < submissions; i++) {
    const work = pace.submissionWork();
    sizes.push(work);
    busy = busy.then(() => new Promise((resolve) => setTimeout(resolve, work / rate)));
    const waiting = pace.submitted(work, busy);
    await vi.advanceTimersByTimeAsync(1e5);
    await waiting;
  }
  await pace.drain();
  return sizes;
}

it('starts with a small image in one submission on a GPU, and with little on a CPU', async () => {
  const { graph } = createNetwork('a2n', { scale: 2 });
  const { steps } = await lower(graph, { image: { range: 255, wide: false } });
  const perPixel = steps.reduce((sum, { work }) => sum + work, 0);
  expect(new Pace(() => 8, false).submissionWork()).toBeGreaterThan(32 * 32 * perPixel * 0.9);
  expect(new Pace(() => 8, true).submissionWork()).toBeLessThan(64 * perPixel);
});

it.each([
  [1e7, 'slow'],
  [5e9, 'fast'],
])('finds the target length on a device of %d work per millisecond (%s)', async (rate) => {
  const pace = new Pace(() => 8, false);
  await run(pace, rate, 20);
  const milliseconds = pace.submissionWork() / rate;
  expect(milliseconds).toBeGreaterThan(7);
  expect(milliseconds).toBeLessThan(9);
});

it('hands what it learned to the next image', async () => {
  const first = new Pace(() => 8, true);
  const image = first.withTarget(() => 8);
  await run(image, 1e8, 20);
  first.learnFrom(image);
  expect(first.withTarget(() => 50).submissionWork() / 1e8).toBeCloseTo(50, -1);
});

it('expects of work what the last job took, and nothing before the first one', async () => {
  const pace = new Pace(() => 8, false);
  expect(pace.expect(1e9)).toBeNull();
  const job = pace.withTarget(() => 8);
  await run(job, 1e6, 20);
  pace.learnFrom(job);
  const milliseconds = pace.expect(5e9) as number;
  expect(milliseconds).toBeGreaterThan(4000);
  expect(milliseconds).toBeLessThan(6000);
});
