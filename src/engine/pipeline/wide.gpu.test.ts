import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { picture } from '../../../test/pictures.ts';
import type { Rgba16Image } from '../../image/image.ts';
import { createNetwork } from '../../networks/registry.ts';
import { readSafetensors } from '../../weights/safetensors.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import { Engine, type Model } from '../engine.ts';
import { upscaleOnCpu } from '../oracle/interpreter.ts';

/** A small A2N x4 with two blocks. Its weights come from a golden file. */
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
  model = await engine.loadModel(tiny, weights, { wide: true });
});
afterAll(() => engine.destroy());

/** Creates a 16-bit image in which each sample's lower byte is independent of its upper byte. */
function widePicture(width: number, height: number): Rgba16Image {
  const { data } = picture(width, height, true);
  return { width, height, data: Uint16Array.from(data, (v, i) => v * 256 + ((i * 37) % 256)) };
}

async function onGpu(image: Rgba16Image, tileSize?: number) {
  const rows: number[] = [];
  const report = await engine.upscaleStrips(model, image, { tileSize }, ({ data }) => {
    expect(data).toBeInstanceOf(Uint16Array);
    for (const v of data) rows.push(v);
  });
  return { rows, report };
}

it.each([
  [1, 1, undefined],
  [13, 9, undefined],
  [23, 18, 12],
])('16 bits at %i x %i in tiles of %s: as on the CPU', async (width, height, tileSize) => {
  const image = widePicture(width, height);
  const { rows, report } = await onGpu(image, tileSize);
  expect(report.tiles).toBe(tileSize ? 4 : 1);
  const cpu = (await upscaleOnCpu(tiny, weights, image)).image;
  expect(rows.length).toBe(cpu.data.length);
  // Samples range from 0 to 65535. Without tiles, rounding may cause a difference of up to 4
  // between GPU and CPU. With tiles, the test allows 24 * 257, which is 24 levels at 8 bits.
  const worst = rows.reduce((most, v, i) => Math.max(most, Math.abs(v - cpu.data[i])), 0);
  expect(worst).toBeLessThanOrEqual(tileSize ? 24 * 257 : 4);
});

it('a gradient of 16 bits keeps more than 256 levels', async () => {
  const data = new Uint16Array(40 * 4 * 4);
  data.forEach((_, i) => {
    data[i] = i % 4 === 3 ? 65535 : 30000 + (Math.floor(i / 4) % 40) * 200 + (i % 4);
  });
  const { rows } = await onGpu({ width: 40, height: 4, data });
  expect(new Set(rows.filter((_, i) => i % 4 === 0)).size).toBeGreaterThan(256);
  expect(rows.every((v, i) => i % 4 !== 3 || v === 65535)).toBe(true);
});

it('refuses pixels of a depth that the model does not take', async () => {
  const wrong = engine.upscaleStrips(model, picture(4, 4), {}, () => {});
  await expect(wrong).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});
