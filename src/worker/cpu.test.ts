import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { picture } from '../../test/pictures.ts';
import { seededWeights } from '../../test/seeded.ts';
import { CpuModel } from '../cpu/model.ts';
import { serve } from '../cpu/serve.ts';
import type { Port } from '../cpu/tiles.ts';
import { upscale } from '../cpu/upscale.ts';
import { createNetwork } from '../networks/registry.ts';
import { CpuHost } from './cpu.ts';

// The mock starts no threads. Instead, it runs a thread's code (`serve`) in the test's own thread.
// The host communicates with this code through a message channel. `opened` contains both ports of
// each channel, so that they can be closed after the tests.
const opened = vi.hoisted((): MessagePort[] => []);
vi.mock('./threads.ts', () => ({
  defaultThreads: () => 1,
  startThread: async () => {
    const { port1, port2 } = new MessageChannel();
    opened.push(port1, port2);
    serve(port2 as unknown as Port);
    return port1;
  },
}));
beforeAll(() => {
  vi.stubGlobal('self', { crossOriginIsolated: false });
});
afterAll(() => {
  vi.unstubAllGlobals();
  for (const port of opened) port.close();
});

const image = picture(20, 260);
const network = createNetwork('a2n', { scale: 2, features: 4, blocks: 1 });
const weights = seededWeights(network);

async function run(pass: Awaited<ReturnType<CpuHost['pass']>>) {
  const strips: Uint8ClampedArray[] = [];
  const report = await pass(image, {}, ({ data }) => {
    strips.push(data as Uint8ClampedArray);
  });
  return { tiles: report.tiles, data: strips.flatMap((strip) => [...strip]) };
}

/**
 * Creates a host. Returns a function `open`, which opens one of the host's models by its id, and an
 * array `loads`, which collects the ids of the models that the host loads.
 */
function opener() {
  const host = new CpuHost({ threads: 2, memoryBudget: null });
  const loads: string[] = [];
  const open = (id: string) =>
    host.pass(id, async () => {
      loads.push(id);
      return { network, weights };
    });
  return { open, loads };
}

it('runs an image that needs three models: one that restores and two that enlarge', async () => {
  const alone = await upscale(await CpuModel.load(network, weights), image);
  const { open, loads } = opener();
  // All models are loaded before the first one runs.
  const passes = [await open('a'), await open('b'), await open('c')];
  for (const pass of passes) {
    const { tiles, data } = await run(pass);
    expect(tiles).toBeGreaterThan(1);
    expect(data).toEqual([...alone.image.data]);
  }
  expect(loads).toEqual(['a', 'b', 'c']);
});

it('keeps three models, also if they are only preloaded', async () => {
  const { open, loads } = opener();
  for (const id of ['a', 'b', 'c', 'd', 'b', 'c', 'd', 'a']) await open(id);
  expect(loads).toEqual(['a', 'b', 'c', 'd', 'a']);
});

it('runs a model again that was freed after its first run', async () => {
  const host = new CpuHost({ threads: 2, memoryBudget: null });
  const load = vi.fn(async () => ({ network, weights }));
  const [first, second] = [await host.pass('a', load), await host.pass('a', load)];
  const before = await run(first);
  await host.drop('a');
  expect(await run(second)).toEqual(before);
  expect(load).toHaveBeenCalledTimes(2);
});
