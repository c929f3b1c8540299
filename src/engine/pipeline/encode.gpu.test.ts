import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestTestDevice } from '../../../test/gpu.ts';
import { difference, picture } from '../../../test/pictures.ts';
import { seededWeights } from '../../../test/seeded.ts';
import { detect } from '../../networks/detect.ts';
import { createNetwork } from '../../networks/registry.ts';
import { readSafetensors } from '../../weights/safetensors.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import { upscaleOnCpu } from '../oracle/interpreter.ts';
import { prepareNetwork } from './encode.ts';

const tiny = createNetwork('a2n', {
  scale: 4,
  features: 8,
  upsamplerFeatures: 6,
  blocks: 2,
  reduction: 4,
  inputRange: 1,
});
const weights = goldenWeights('tiny_a2n_x4_8x8');

function goldenWeights(name: string): TensorMap {
  const bytes = new Uint8Array(readFileSync(`test/golden/${name}.safetensors`));
  return new Map(
    [...readSafetensors(bytes).tensors]
      .filter(([name]) => name.startsWith('weights.'))
      .map(([name, tensor]) => [name.slice('weights.'.length), tensor]),
  );
}

// The globals GPUTextureUsage and GPUBufferUsage exist only in browsers.
const [COPY_SRC, COPY_DST, TEXTURE_BINDING, STORAGE_BINDING] = [1, 2, 4, 8];
const [MAP_READ, BUFFER_COPY_DST] = [1, 8];

let device: GPUDevice;
beforeAll(async () => {
  device = await requestTestDevice();
});
afterAll(() => device.destroy());

function texture(width: number, height: number, usage: number): GPUTexture {
  return device.createTexture({ size: [width, height], format: 'rgba8unorm', usage });
}

async function readTexture(source: GPUTexture): Promise<Uint8ClampedArray<ArrayBuffer>> {
  const { width, height } = source;
  const bytesPerRow = Math.ceil((width * 4) / 256) * 256;
  const buffer = device.createBuffer({
    size: bytesPerRow * height,
    usage: MAP_READ | BUFFER_COPY_DST,
  });
  const encoder = device.createCommandEncoder();
  encoder.copyTextureToBuffer({ texture: source }, { buffer, bytesPerRow }, [width, height]);
  device.queue.submit([encoder.finish()]);
  await buffer.mapAsync(1);
  const all = new Uint8Array(buffer.getMappedRange());
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    data.set(all.subarray(y * bytesPerRow, y * bytesPerRow + width * 4), y * width * 4);
  }
  buffer.destroy();
  return data;
}

describe('a network in somebody else\u2019s command encoder', () => {
  it.each([
    [1, 1],
    [8, 8],
    [13, 9],
    [17, 16],
  ])('makes of a texture of %i x %i what the interpreter makes of the image', async (w, h) => {
    device.pushErrorScope('validation');
    const network = await prepareNetwork(device, tiny, weights, {
      width: w,
      height: h,
      fuse: 'ops', // Software adapters take almost a minute to compile the larger kernels.
    });
    expect([network.width, network.height]).toEqual([4 * w, 4 * h]);
    const input = texture(w, h, COPY_DST | TEXTURE_BINDING);
    const output = texture(4 * w, 4 * h, COPY_SRC | COPY_DST | STORAGE_BINDING);
    // Two images, one opaque and one with alpha, use the same prepared network and textures. Before
    // each run, the output texture is filled with a constant, so the test notices pixels that the
    // network does not write.
    for (const alpha of [false, true]) {
      const image = picture(w, h, alpha);
      const size = [w, h];
      const texels = new Uint8Array(image.data);
      device.queue.writeTexture({ texture: input }, texels, { bytesPerRow: w * 4 }, size);
      const poison = new Uint8Array(16 * w * h * 4).fill(77);
      const outSize = [4 * w, 4 * h];
      device.queue.writeTexture({ texture: output }, poison, { bytesPerRow: w * 16 }, outSize);
      const encoder = device.createCommandEncoder();
      network.encode(encoder, input, output);
      device.queue.submit([encoder.finish()]);
      const actual = { width: 4 * w, height: 4 * h, data: await readTexture(output) };
      const { worst, share } = difference(actual, (await upscaleOnCpu(tiny, weights, image)).image);
      expect(worst).toBeLessThanOrEqual(1);
      expect(share).toBeLessThanOrEqual(0.001);
    }
    const encoder = device.createCommandEncoder();
    expect(() => network.encode(encoder, output, input)).toThrow(/4 x 4|texels/);
    network.destroy();
    input.destroy();
    output.destroy();
    expect(await device.popErrorScope()).toBeNull();
  });

  const cugan = createNetwork('realcugan', { scale: 2, features: 4 });
  it.each([
    ['non-local attention', detect(goldenWeights('lcoan_tiny_x2_9x7'))],
    ['reflected pixels around the image', { network: cugan, weights: seededWeights(cugan) }],
  ])('runs %s too', async (_, { network: lcoan, weights: named }) => {
    const [w, h] = [9, 7];
    const network = await prepareNetwork(device, lcoan, named, { width: w, height: h });
    const input = texture(w, h, COPY_DST | TEXTURE_BINDING);
    const output = texture(2 * w, 2 * h, COPY_SRC | STORAGE_BINDING);
    const image = picture(w, h, false);
    const texels = new Uint8Array(image.data);
    device.queue.writeTexture({ texture: input }, texels, { bytesPerRow: w * 4 }, [w, h]);
    const encoder = device.createCommandEncoder();
    network.encode(encoder, input, output);
    device.queue.submit([encoder.finish()]);
    const actual = { width: 2 * w, height: 2 * h, data: await readTexture(output) };
    const expected = (await upscaleOnCpu(lcoan, named, image)).image;
    expect(difference(actual, expected).worst).toBeLessThanOrEqual(1);
    network.destroy();
    input.destroy();
    output.destroy();
  });
});
