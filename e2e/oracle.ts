import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { expect } from 'vitest';
import { findModel } from '../src/catalog/files.ts';
import { shippedModel } from '../src/catalog/network.ts';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import { enlargeWhole, type Pass } from '../src/engine/pipeline/enlarge.ts';
import { resize } from '../src/engine/pipeline/resize.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import type { Network } from '../src/networks/network.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';
import type { TensorMap } from '../src/weights/tensor.ts';

/** Decodes with libvips, which shares no code with Crispen. */
export async function decode(file: Uint8Array | readonly number[]): Promise<Rgba8Image> {
  const { data, info } = await sharp(Uint8Array.from(file))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8ClampedArray(data) };
}

export async function encode({ width, height, data }: Rgba8Image): Promise<number[]> {
  const raw = { width, height, channels: 4 as const };
  return [...(await sharp(Buffer.from(data), { raw }).png().toBuffer())];
}

/**
 * Returns the network's result for an image, including alpha and grey, computed with the plain
 * loops in Node.
 */
export async function expected(model: string, image: Rgba8Image): Promise<Rgba8Image> {
  const entry = findModel(model);
  const { tensors } = readSafetensors(await readFile(`public/models/${entry.file}`));
  const { network, weights } = await shippedModel(entry, tensors);
  return expectedOf(network, weights, image);
}

/** Returns any network's result for an image. */
export async function expectedOf(
  network: Network,
  weights: TensorMap,
  image: Rgba8Image,
): Promise<Rgba8Image> {
  const { scale } = network;
  const pass: Pass = {
    model: network.architecture,
    scale,
    async run(lr, options, sink) {
      const { image: whole, report } = await upscaleOnCpu(network, weights, lr, options);
      await sink({ ...whole, y: 0 });
      return report;
    },
  };
  const size = { width: image.width * scale, height: image.height * scale };
  const plan = { size, depth: 8 as const, passes: [pass], device: null };
  return (await enlargeWhole(image, plan)).image as Rgba8Image;
}

/** Returns the Lanczos result for an image, computed with the plain loops. */
export async function resized(
  image: Rgba8Image,
  width: number,
  height: number,
): Promise<Rgba8Image> {
  return (await resize(image, { width, height }, { device: null })) as Rgba8Image;
}

/**
 * Compares two images. Rounding depends on the order of summation, so images count as equal if at
 * most one value in a thousand (or one value in a smaller image) differs, and only by one level.
 */
export function expectSamePicture(actual: Rgba8Image, wanted: Rgba8Image): void {
  expect([actual.width, actual.height]).toEqual([wanted.width, wanted.height]);
  let [different, worst] = [0, 0];
  wanted.data.forEach((value, i) => {
    const error = Math.abs(value - actual.data[i]);
    if (error > 0) different++;
    worst = Math.max(worst, error);
  });
  expect(worst).toBeLessThanOrEqual(1);
  expect(different).toBeLessThanOrEqual(Math.max(1, wanted.data.length / 1000));
}
