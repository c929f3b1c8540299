/** Tests how non-local networks run, apart from the values that they compute. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../src/engine/engine.ts';
import { interpret } from '../src/engine/oracle/interpreter.ts';
import { trace } from '../src/engine/oracle/traceNetwork.ts';
import { plannedBytes } from '../src/engine/tile/strips.ts';
import { edsrAcla } from '../src/networks/acla.ts';
import { lcoan } from '../src/networks/lcoan.ts';
import type { Network } from '../src/networks/network.ts';
import { fromFloat32 } from '../src/weights/convert.ts';
import type { Tensor } from '../src/weights/tensor.ts';
import { testGpu } from './gpu.ts';
import { randomValues } from './kernels.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const weightsOf = ({ graph }: Network): Map<string, Tensor> =>
  new Map(
    graph.weights.map(({ name, shape }, i) => {
      const bound = Math.sqrt((3 * shape[0]) / sizeOf(shape));
      const values = randomValues(sizeOf(shape), i + 1).map((v) => v * bound);
      return [name, fromFloat32(values, shape, 'f32')] as const;
    }),
  );

const pictureOf = (width: number, height: number) => ({
  width,
  height,
  data: Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) => (i * 37) % 256),
});

const sizes = { features: 16, groups: 2, blocks: 1, clusters: 8, window: 64 };
const networks: [string, Network][] = [
  ['lcoan x2', lcoan({ ...sizes, scale: 2 })],
  ['lcoan x3, two rounds', lcoan({ ...sizes, scale: 3, rounds: 2 })],
  ["lcoan x4, without the file's centroids", lcoan({ ...sizes, scale: 4, initialised: false })],
  ['edsr-acla x2', edsrAcla({ scale: 2, features: 16, blocks: 4, keys: 9, inputRange: 1 })],
];

describe.each(networks)('%s', (_, network) => {
  it('takes the memory that the plan predicts', async () => {
    const { gpu } = engine.device;
    const { createBuffer } = gpu;
    let [held, peak] = [0, 0];
    gpu.createBuffer = (descriptor) => {
      const buffer = createBuffer.call(gpu, descriptor);
      held += buffer.size;
      peak = Math.max(peak, held);
      const { destroy } = buffer;
      buffer.destroy = () => {
        held -= buffer.size;
        return destroy.call(buffer);
      };
      return buffer;
    };
    try {
      for (const [width, height] of [
        [17, 9],
        [64, 48],
        [70, 61],
      ]) {
        [held, peak] = [0, 0];
        const model = await engine.loadModel(network, weightsOf(network));
        const { report } = await engine.upscale(model, pictureOf(width, height));
        const { maps, uniforms } = plannedBytes(engine.device, model, { width, height }, 1);
        const planned = maps + uniforms + model.weights.size;
        expect(Math.abs(peak / planned - 1)).toBeLessThan(0.1);
        expect(report.gpuBytes).toBe(peak);
        await engine.unloadModel(model);
        expect(held).toBe(0);
      }
    } finally {
      gpu.createBuffer = createBuffer;
    }
  });

  it('runs whole in the least budget that holds it, and says so when it does not', async () => {
    const model = await engine.loadModel(network, weightsOf(network));
    const image = pictureOf(130, 20);
    const free = await engine.upscale(model, image);
    expect(free.report).toMatchObject({ tiles: 1, approximate: false });
    const { maps, uniforms } = plannedBytes(engine.device, model, image, 1);
    // Uniforms and other small data count as at least a quarter of a MiB.
    const memoryBudget = maps + Math.max(uniforms, 2 ** 18) + model.weights.size;
    const tight = await engine.upscale(model, image, { memoryBudget });
    expect(tight.report).toMatchObject({ tiles: 1, approximate: false });
    expect(tight.image.data).toEqual(free.image.data);
    // With less memory, only the enlarging end of the network runs in tiles, and the pixels are the
    // same. With even less memory, each tile attends only to itself, and the report says so.
    const kinds: boolean[] = [];
    for (let part = 0.98; ; part *= 0.75) {
      const budget = { memoryBudget: part * memoryBudget };
      const cut = await engine.upscale(model, image, budget).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'OUT_OF_MEMORY' });
        return null;
      });
      if (cut === null) break;
      const { tiles, approximate, gpuBytes } = cut.report;
      if (approximate) expect(tiles).toBeGreaterThan(1);
      expect(gpuBytes).toBeLessThanOrEqual(budget.memoryBudget);
      if (!approximate) expect(cut.image.data).toEqual(free.image.data);
      kinds.push(approximate);
    }
    expect(kinds[0]).toBe(false);
    expect(kinds.at(-1)).toBe(true);
    expect(kinds.toSorted((a, b) => Number(a) - Number(b))).toEqual(kinds);
    await engine.unloadModel(model);
  });

  it('gives the same bits twenty times', async () => {
    const input = { width: 21, height: 14, data: randomValues(3 * 21 * 14, 7) };
    const weights = weightsOf(network);
    const run = async () =>
      (await trace(engine, network, weights, input, ['output'])).get('output')?.data;
    const first = await run();
    for (let i = 1; i < 20; i++) expect(await run()).toEqual(first);
  });
});

describe('the adaptive gate', () => {
  const sizes = { scale: 1, features: 8, blocks: 4, keys: 3, inputRange: 1 };
  const input = { width: 9, height: 7, data: randomValues(189, 3) };

  /** Closes each reference's second key everywhere, and sets its position to NaN. */
  function poisoned(network: Network) {
    const weights = weightsOf(network);
    const change = (name: string, value: number, of: (i: number) => boolean) => {
      const { shape } = weights.get(name) as Tensor;
      const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => (of(i) ? value : 0.5));
      weights.set(name, fromFloat32(values, shape, 'f32'));
    };
    const second = (i: number) => i % 3 === 1;
    for (let t = 0; t < 4; t++) {
      const zeros = weights.get(`cla.${t}.mask_unit.weight`);
      if (zeros) {
        const { shape } = zeros;
        const none = new Float32Array(sizeOf(shape));
        weights.set(`cla.${t}.mask_unit.weight`, fromFloat32(none, shape, 'f32'));
        change(`cla.${t}.mask_unit.bias`, -1, second);
      }
      // Both offsets of the key are invalid.
      change(`cla.${t}.conv_offset.bias`, Number.NaN, (i) => second(i >> 1));
    }
    return weights;
  }

  it('does not read keys that it closed, on GPU and CPU', async () => {
    const closed = edsrAcla({ ...sizes, gate: 'exclude' });
    const weights = poisoned(closed);
    const [gpu, cpu] = await Promise.all([
      trace(engine, closed, weights, input, ['output']),
      interpret(closed, weights, input, ['output']),
    ]);
    for (const traced of [gpu, cpu]) {
      expect(traced.get('output')?.data.every(Number.isFinite)).toBe(true);
    }
    // This shows that the invalid position matters: if the closed key's logit is only set to zero,
    // the key is read.
    const open = edsrAcla({ ...sizes, gate: 'zero' });
    const read = await interpret(open, poisoned(open), input, ['output']);
    expect(read.get('output')?.data.every(Number.isFinite)).toBe(false);
  });
});
