import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testGpu } from '../../test/gpu.ts';
import { difference, picture } from '../../test/pictures.ts';
import { CrispenError } from '../errors.ts';
import { createNetwork } from '../networks/registry.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';
import { Engine, type Model } from './engine.ts';
import { upscaleOnCpu } from './oracle/interpreter.ts';
import { tuningOf } from './tune/tuning.ts';
import type { Strip } from './types.ts';

/**
 * An A2N x4 with two blocks and seeded random weights. It is tiny, so even tests that divide an
 * image into several tiles take little time.
 */
const tiny = createNetwork('a2n', {
  scale: 4,
  features: 8,
  upsamplerFeatures: 6,
  blocks: 2,
  reduction: 4,
  inputRange: 1,
});
const bytes = new Uint8Array(readFileSync('test/golden/tiny_a2n_x4_8x8.safetensors'));
const weights: TensorMap = new Map(
  [...readSafetensors(bytes).tensors]
    .filter(([name]) => name.startsWith('weights.'))
    .map(([name, tensor]) => [name.slice('weights.'.length), tensor]),
);

let engine: Engine;
let model: Model;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
  model = await engine.loadModel(tiny, weights);
});
afterAll(() => engine.destroy());

describe('Engine.upscale', () => {
  it.each([
    [1, 1],
    [3, 20],
    [17, 13],
    [33, 9],
  ])('agrees with the CPU interpreter at %i x %i, alpha included', async (w, h) => {
    const image = picture(w, h, true);
    const gpu = await engine.upscale(model, image);
    const cpu = await upscaleOnCpu(tiny, weights, image);
    const { worst, share } = difference(gpu.image, cpu.image);
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThanOrEqual(0.001);
    expect(gpu.report).toMatchObject({ backend: 'webgpu', tiles: 1, statistics: 'exact' });
    expect(new Set(gpu.image.data).size).toBeGreaterThan(8);
  });

  it('keeps an opaque image opaque', async () => {
    const { image } = await engine.upscale(model, picture(9, 7));
    expect(image.data.every((v, i) => i % 4 !== 3 || v === 255)).toBe(true);
  });

  it('runs in tiles when asked, with the same result', async () => {
    const image = picture(40, 28);
    const { report, image: tiled } = await engine.upscale(model, image, { tileSize: 16 });
    expect(report).toMatchObject({ tiles: 6, statistics: 'exact' });
    const whole = await engine.upscale(model, image);
    expect(difference(tiled, whole.image).worst).toBeLessThanOrEqual(1);
  });

  it.each(['none', 'ops', 'blocks'] as const)(
    'fused as %s: the same picture, in tiles too',
    async (fuse) => {
      const image = picture(23, 18, true);
      const loaded = await engine.loadModel(tiny, weights, { fuse });
      for (const tileSize of [64, 12]) {
        const fused = await engine.upscale(loaded, image, { tileSize });
        const plain = await engine.upscale(model, image, { tileSize });
        expect(fused.report.tiles).toBe(tileSize === 64 ? 1 : 4);
        const { worst, share } = difference(fused.image, plain.image);
        expect(worst).toBeLessThanOrEqual(1);
        expect(share).toBeLessThanOrEqual(0.001);
      }
      await engine.unloadModel(loaded);
    },
  );

  // Software adapters use none of these convolutions by default, so this test selects them by name.
  it.each(['shared', 'strips', 'halo'] as const)(
    'with convolutions by %s, which also pool: the same picture, in tiles too',
    async (conv) => {
      const image = picture(45, 34, true);
      const choice = { fuse: 'ops', conv, tileColumns: 8 } as const;
      const strips = await Engine.create({
        gpu: testGpu(),
        tuning: (adapter) => tuningOf(choice, adapter),
      });
      const loaded = await strips.loadModel(tiny, weights);
      const names = loaded.program.steps.map(({ kernel }) => kernel.label);
      expect(names.some((name) => name.includes('strips'))).toBe(true);
      expect(names.filter((name) => name.includes('pool'))).toEqual([]);
      for (const tileSize of [64, 24]) {
        const pooled = await strips.upscale(loaded, image, { tileSize });
        const plain = await engine.upscale(model, image, { tileSize });
        expect(pooled.report).toMatchObject({
          tiles: tileSize === 64 ? 1 : 4,
          statistics: 'exact',
        });
        const { worst, share } = difference(pooled.image, plain.image);
        expect(worst).toBeLessThanOrEqual(1);
        expect(share).toBeLessThanOrEqual(0.001);
      }
      strips.destroy();
    },
  );

  it('tiles by itself within a small memory budget, and refuses an impossible one', async () => {
    const image = picture(90, 70);
    const small = await Engine.create({ gpu: testGpu(), memoryBudget: 3e6 });
    const { report } = await small.upscale(await small.loadModel(tiny, weights), image);
    expect(report.tiles).toBeGreaterThan(1);
    expect(report.gpuBytes).toBeLessThanOrEqual(3e6);
    small.destroy();
    const none = await Engine.create({ gpu: testGpu(), memoryBudget: 1e5 });
    const impossible = none.upscale(await none.loadModel(tiny, weights), image);
    await expect(impossible).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    none.destroy();
  });

  it('delivers strips of full width from top to bottom, one tile ahead at most', async () => {
    const image = picture(40, 50, true);
    const { image: all } = await engine.upscale(model, image, { tileSize: 16 });
    const strips: Strip[] = [];
    let [working, done] = [false, 0];
    const report = await engine.upscaleStrips(model, image, { tileSize: 16 }, async (strip) => {
      expect(working).toBe(false);
      working = true;
      strips.push(strip);
      await new Promise((resolve) => setTimeout(resolve, 20));
      working = false;
      done++;
    });
    expect(done).toBe(4);
    expect(report.tiles).toBe(12);
    expect(strips.map(({ y, width, height }) => [y, width, height])).toEqual([
      [0, 160, 48],
      [48, 160, 52],
      [100, 160, 48],
      [148, 160, 52],
    ]);
    for (const { y, data } of strips) {
      const at = y * 160 * 4;
      expect(Buffer.from(data)).toEqual(Buffer.from(all.data.subarray(at, at + data.length)));
    }
  });

  it('ends with what the sink throws, and works again', async () => {
    const image = picture(40, 40);
    // Despite its code, this error comes from the sink and not from the GPU, so the engine must not
    // retry with smaller tiles.
    const full = new CrispenError('OUT_OF_MEMORY', 'The disk is full.');
    let calls = 0;
    const running = engine.upscaleStrips(model, image, { tileSize: 20 }, async () => {
      calls++;
      throw full;
    });
    await expect(running).rejects.toBe(full);
    expect(calls).toBe(1);
    const again = await engine.upscale(model, image, { tileSize: 20 });
    expect(again.report.tiles).toBe(4);
  });

  it('reports progress that rises to one', async () => {
    const fractions: number[] = [];
    await engine.upscale(model, picture(30, 30), {
      submitMs: () => 0.01,
      onProgress: ({ fraction }) => fractions.push(fraction),
    });
    expect(fractions.length).toBeGreaterThan(3);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
  });

  it('cuts work into short submissions without changing the result', async () => {
    const image = picture(31, 50);
    const cutUp = await engine.upscale(model, image, { submitMs: () => 0.001 });
    const whole = await engine.upscale(model, image, { submitMs: () => 1e6 });
    expect(cutUp.report.dispatches).toBeGreaterThan(whole.report.dispatches);
    expect(difference(cutUp.image, whole.image).worst).toBe(0);
  });

  it('stops when aborted, before and midway, and works again', async () => {
    const gone = AbortSignal.abort();
    await expect(engine.upscale(model, picture(8, 8), { signal: gone })).rejects.toMatchObject({
      code: 'ABORTED',
      name: 'AbortError',
    });
    const controller = new AbortController();
    const running = engine.upscale(model, picture(60, 60), {
      signal: controller.signal,
      submitMs: () => 0.01,
      onProgress: () => controller.abort(),
    });
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    const image = picture(8, 8);
    const again = await engine.upscale(model, image);
    const cpu = await upscaleOnCpu(tiny, weights, image);
    expect(difference(again.image, cpu.image).worst).toBeLessThanOrEqual(1);
  });

  it('runs concurrent calls one after the other, each with its own result', async () => {
    const images = [picture(5, 9), picture(12, 4), picture(5, 9, true)];
    const results = await Promise.all(images.map((image) => engine.upscale(model, image)));
    for (const [i, image] of images.entries()) {
      const cpu = await upscaleOnCpu(tiny, weights, image);
      expect(difference(results[i].image, cpu.image).worst).toBeLessThanOrEqual(1);
    }
  });

  it('refuses bytes that do not make the stated size', async () => {
    const broken = { ...picture(4, 4), width: 5 };
    await expect(engine.upscale(model, broken)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('reports NaN instead of showing black', async () => {
    const poisoned = new Map<string, Tensor>(weights);
    poisoned.set('conv_last.bias', fromFloat32(new Float32Array(3).fill(Number.NaN), [3], 'f32'));
    const broken = await engine.loadModel(tiny, poisoned);
    await expect(engine.upscale(broken, picture(4, 4))).rejects.toMatchObject({
      code: 'NON_FINITE',
    });
    await engine.unloadModel(broken);
  });
});

describe('Engine.loadModel', () => {
  it('names weights that are missing or misshapen', async () => {
    const partial = new Map([...weights].filter(([name]) => name !== 'trunk_conv.bias'));
    await expect(engine.loadModel(tiny, partial)).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('trunk_conv.bias is missing'),
    });
    const other = createNetwork('a2n', { scale: 4 });
    await expect(engine.loadModel(other, weights)).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/conv_first.weight is \[8,3,3,3\], expected \[40,3,3,3\]/),
    });
  });
});

describe('device loss', () => {
  it('rejects what runs and what comes after with DEVICE_LOST', async () => {
    const doomed = await Engine.create({ gpu: testGpu() });
    const loaded = await doomed.loadModel(tiny, weights);
    const running = doomed.upscale(loaded, picture(80, 80), {
      submitMs: () => 0.01,
      onProgress: () => doomed.destroy(),
    });
    await expect(running).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    expect(await doomed.lost).toEqual(expect.any(String));
    await expect(doomed.upscale(loaded, picture(8, 8))).rejects.toMatchObject({
      code: 'DEVICE_LOST',
    });
  });
});
