import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { difference, picture } from '../../../test/pictures.ts';
import { createNetwork } from '../../networks/registry.ts';
import { readSafetensors } from '../../weights/safetensors.ts';
import { Engine, type Model } from '../engine.ts';
import { makeSurface } from './draw.ts';

const tiny = createNetwork('a2n', {
  scale: 4,
  features: 8,
  upsamplerFeatures: 6,
  blocks: 2,
  reduction: 4,
  inputRange: 1,
});
const golden = new Uint8Array(readFileSync('test/golden/tiny_a2n_x4_8x8.safetensors'));
const weights = new Map(
  [...readSafetensors(golden).tensors]
    .filter(([name]) => name.startsWith('weights.'))
    .map(([name, tensor]) => [name.slice('weights.'.length), tensor]),
);

let engine: Engine;
let model: Model;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
  model = await engine.loadModel(tiny, weights, { fuse: 'ops' });
});
afterAll(() => engine.destroy());

async function readTexture(texture: GPUTexture): Promise<Uint8ClampedArray> {
  const { gpu } = engine.device;
  const { width, height } = texture;
  const bytesPerRow = Math.ceil((width * 4) / 256) * 256;
  const [MAP_READ, COPY_DST] = [1, 8];
  const buffer = gpu.createBuffer({ size: bytesPerRow * height, usage: MAP_READ | COPY_DST });
  const encoder = gpu.createCommandEncoder();
  encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow }, [width, height]);
  gpu.queue.submit([encoder.finish()]);
  await buffer.mapAsync(MAP_READ);
  const all = new Uint8Array(buffer.getMappedRange());
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    data.set(all.subarray(y * bytesPerRow, y * bytesPerRow + width * 4), y * width * 4);
  }
  buffer.destroy();
  return data;
}

it.each([
  ['whole', 1, 1, undefined],
  ['whole', 13, 9, undefined],
  ['in tiles of four sizes', 23, 19, 10],
])('leaves on the GPU what would come back: %s, %i x %i', async (_, width, height, tileSize) => {
  const image = picture(width, height, false);
  const wanted = await engine.upscale(model, image, { tileSize });
  const size = { width: width * 4, height: height * 4 };
  const surface = await makeSurface(engine.device, size, 4);
  const poison = new Uint8Array(size.width * size.height * 4).fill(77);
  engine.device.gpu.queue.writeTexture(
    { texture: surface.texture },
    poison,
    { bytesPerRow: size.width * 4 },
    [size.width, size.height],
  );
  const strips: number[] = [];
  const report = await engine.upscaleStrips(
    model,
    image,
    { tileSize, draw: surface.draw },
    ({ data }) => void strips.push(data.length),
  );
  expect(report.tiles).toBe(wanted.report.tiles);
  expect(report.tiles > 1).toBe(tileSize !== undefined);
  expect(new Set(strips)).toEqual(new Set([0]));
  expect(surface.bytes).toBeGreaterThanOrEqual(poison.length);
  const actual = { ...size, data: await readTexture(surface.texture) };
  expect(difference(actual, wanted.image).worst).toBe(0);
  surface.destroy();
});
