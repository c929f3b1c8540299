import { afterAll, expect, it } from 'vitest';
import { difference, picture } from '../../test/pictures.ts';
import { seededWeights } from '../../test/seeded.ts';
import { findGoldenCases, readGoldenCases, SEEDED_GOLDENS } from '../cli/golden-cases.ts';
import type { RgbaImage } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import { createNetwork } from '../networks/registry.ts';
import { chooseModel } from '../node/model.ts';
import { fromFloat32 } from '../weights/convert.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { CpuModel } from './model.ts';
import { serve } from './serve.ts';
import { Team } from './team.ts';
import type { Port } from './tiles.ts';
import { upscale, upscaleStrips } from './upscale.ts';

const opened: MessagePort[] = [];
afterAll(() => {
  for (const port of opened) port.close();
});

/** Simulates a worker thread: the test's own thread processes the messages sent to the port. */
async function openPort(): Promise<Port> {
  const { port1, port2 } = new MessageChannel();
  opened.push(port1, port2);
  serve(port2 as unknown as Port);
  return port1 as unknown as Port;
}
const team = new Team(2, openPort);

async function loadAll(network: Network, weights: TensorMap) {
  const { runners, drop } = await team.load(network, weights);
  const alone = await CpuModel.load(network, weights);
  return { alone, together: await CpuModel.load(network, weights, { helpers: runners }), drop };
}

async function golden(pattern: string) {
  const file = findGoldenCases(pattern).find((path) => path.startsWith(SEEDED_GOLDENS));
  const found = await readGoldenCases(file ?? pattern);
  if ('missing' in found) throw new Error(`no network ${found.missing}`);
  return found[0];
}

it.each(['tiny_a2n_x4_8x8', 'compact_x2_11x7', 'span_x2_11x7', 'edsr_x2*'])(
  '%s in bands equals the whole image, bit for bit',
  async (name) => {
    const { network, weights } = await golden(name);
    const { alone, together } = await loadAll(network, weights);
    for (const image of [picture(31, 211, true), picture(40, 180)]) {
      const expected = await upscale(alone, image);
      const actual = await upscale(together, image);
      expect(expected.report.tiles).toBe(1);
      expect(actual.report.tiles).toBeGreaterThan(1);
      expect(actual.report).toMatchObject({ statistics: 'exact', approximate: false });
      expect(actual.image).toEqual(expected.image);
    }
  },
);

it('a shipped A2N in bands equals the whole image, bit for bit', async () => {
  const { network, weights } = await chooseModel({ model: 'a2n-photo-x2' });
  const { alone, together } = await loadAll(network, weights);
  // With 203 rows, the second band begins at an odd row. The first row that this band reads must
  // still be an even row, because 3x3 convolutions process maps in squares of 2 x 2 pixels. A band
  // must have the same squares as the whole image.
  for (const image of [picture(24, 300), picture(25, 203)]) {
    const actual = await upscale(together, image);
    expect(actual.report.tiles).toBeGreaterThan(1);
    expect(actual.image).toEqual((await upscale(alone, image)).image);
  }
});

it.each([
  ['Real-CUGAN x2', createNetwork('realcugan', { scale: 2, features: 4 })],
  ['Real-CUGAN x3', createNetwork('realcugan', { scale: 3, features: 4 })],
  // If the width or the height is odd, the last cells of 2 x 2 pixels extend beyond the image.
  [
    'RCAN with an unshuffled input',
    createNetwork('rcan', {
      scale: 2,
      unshuffle: 2,
      features: 8,
      groups: 1,
      blocks: 1,
      reduction: 4,
    }),
  ],
] as const)('%s in bands has the means of the whole image', async (_, network) => {
  const { alone, together } = await loadAll(network, seededWeights(network));
  for (const image of [picture(24, 300), picture(25, 203)]) {
    const actual = await upscale(together, image);
    expect(actual.report.tiles).toBeGreaterThan(1);
    expect(actual.image).toEqual((await upscale(alone, image)).image);
  }
});

it('a thread receives the pixels of its band, not the whole image', async () => {
  const sent: number[] = [];
  const watched = new Team(2, async () => {
    const port = await openPort();
    const post = port.postMessage.bind(port);
    port.postMessage = (message, transfer) => {
      if (typeof message === 'object' && message !== null && 'source' in message) {
        sent.push((message as { source: RgbaImage }).source.data.buffer.byteLength);
      }
      post(message, transfer);
    };
    return port;
  });
  const { network, weights } = await golden('compact_x2_11x7');
  const { runners } = await watched.load(network, weights);
  const image = picture(40, 180);
  const { report } = await upscale(
    await CpuModel.load(network, weights, { helpers: runners }),
    image,
  );
  expect(sent.length).toBeGreaterThan(0);
  // Bands overlap, so they have more pixels in all than the image.
  expect(Math.max(...sent)).toBeLessThan(image.data.byteLength);
  expect(report.tiles).toBeGreaterThan(1);
});

it('small images and networks that look far are left whole', async () => {
  const far = await golden('lcoan_*');
  const near = await golden('compact_x2_11x7');
  for (const [{ network, weights }, height] of [
    [far, 90],
    [near, 3],
  ] as const) {
    const { alone, together } = await loadAll(network, weights);
    const image = picture(20, height);
    const { image: actual, report } = await upscale(together, image);
    expect(report.tiles).toBe(1);
    expect(actual).toEqual((await upscale(alone, image)).image);
  }
});

it('tiles are divided, in order, within the budget', async () => {
  const { network, weights } = await golden('compact_x2_11x7');
  const { alone, together } = await loadAll(network, weights);
  const image = picture(131, 97, true);
  const memoryBudget = 3 * alone.bytes({ width: 80, height: 60 });
  const rows: number[] = [];
  const data: number[] = [];
  const fractions: number[] = [];
  const onProgress = ({ fraction }: { fraction: number }) => fractions.push(fraction);
  const tileSize = 20;
  const options = { memoryBudget, tileSize, onProgress };
  const report = await upscaleStrips(together, image, options, async (strip) => {
    rows.push(strip.y);
    data.push(...strip.data);
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
  const [width, height] = report.tileSize;
  expect(report.tiles).toBeGreaterThan(20);
  expect(3 * alone.bytes({ width, height })).toBeLessThanOrEqual(memoryBudget);
  expect(rows).toEqual([...new Set(rows)].sort((a, b) => a - b));
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBe(1);
  const expected = (await upscale(alone, image, { tileSize })).image;
  expect(Uint8ClampedArray.from(data)).toEqual(expected.data);
});

it('means come from the whole image where tiles do the rest', async () => {
  const { network, weights } = await golden('tiny_a2n_x4_8x8');
  const { alone, together } = await loadAll(network, weights);
  const image = picture(131, 97);
  const tiled = await upscale(together, image, { tileSize: 40 });
  const whole = await upscale(alone, image);
  expect(tiled.report.statistics).toBe('exact');
  expect(difference(tiled.image, whole.image).share).toBeLessThanOrEqual(0.001);
});

it('cancels all threads at once; the next job is right', { retry: 3 }, async () => {
  const { network, weights } = await chooseModel({ model: 'a2n-photo-x2' });
  const { alone, together } = await loadAll(network, weights);
  const controller = new AbortController();
  const due = performance.now() + 300;
  const running = upscale(together, picture(100, 400), { signal: controller.signal });
  setTimeout(() => controller.abort(), 300);
  await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
  // The host and two simulated workers share this thread. Each checks for cancellation only every
  // 20 ms while it computes, so the rejection takes some time.
  expect(performance.now() - due).toBeLessThan(400);
  const image = picture(16, 200);
  expect((await upscale(together, image)).image).toEqual((await upscale(alone, image)).image);
});

it('an error in one thread ends the others, and goes to the caller', async () => {
  const { network, weights } = await golden('tiny_a2n_x4_8x8');
  const { alone, drop } = await loadAll(network, weights);
  const { runners } = await team.load(network, weights);
  const [name, tensor] = [...weights].find(([key]) => key.endsWith('.bias')) ?? [];
  if (name === undefined || tensor === undefined) throw new Error('no bias');
  const values = new Float32Array(tensor.shape[0]).fill(Number.POSITIVE_INFINITY);
  const broken = new Map([...weights, [name, fromFloat32(values, tensor.shape, 'f32')]]);
  const bad = await team.load(network, broken);
  const mixed = await CpuModel.load(network, weights, {
    helpers: [runners[0], bad.runners[1]],
  });
  const image = picture(31, 211);
  await expect(upscale(mixed, image)).rejects.toMatchObject({ code: 'NON_FINITE' });
  bad.drop();
  await expect(upscale(mixed, image)).rejects.toMatchObject({ code: 'INTERNAL' });
  const full = new Error('the disk is full');
  const good = await CpuModel.load(network, weights, { helpers: runners });
  const sink = () => {
    throw full;
  };
  await expect(upscaleStrips(good, image, {}, sink)).rejects.toBe(full);
  expect((await upscale(good, image)).image).toEqual((await upscale(alone, image)).image);
  drop();
});

it('goes on alone where no thread can be made', async () => {
  const { network, weights } = await golden('compact_x2_11x7');
  const { runners } = await new Team(3, async () => null).load(network, weights);
  const model = await CpuModel.load(network, weights, { helpers: runners });
  expect(runners).toEqual([]);
  expect((await upscale(model, picture(20, 200))).report.tiles).toBe(1);
});
