import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import { demosaicBilinear } from '../src/image/bayer.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import { toRgba8 } from '../src/image/pixels.ts';
import type { UpscaleRequest } from '../src/index.ts';
import { detect } from '../src/networks/detect.ts';
import { readWeights } from '../src/weights/read.ts';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { toMosaic } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { decode, encode, expected, expectSamePicture } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

/** A network of one convolution. Its output is added to the image. */
const NETWORK = tinyCheckpoint(1);
const PHOTO = 'e2e/images/chelsea-24x20.png';

let site: Served;
let browser: Browser;
let page: Page;
/** The model's id in the page. */
let model: string;

beforeAll(async () => {
  site = await serveSources();
  browser = await launch({ webgpu: true });
  page = await browser.newPage();
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  model = await page.evaluate(
    async (bytes) => {
      const upscaler = window.crispen.createUpscaler();
      Object.assign(window, { upscaler });
      const file = window.crispen.bytes(bytes);
      return (await upscaler.addModel(file, { name: 'x', task: 'denoise' })).id;
    },
    [...NETWORK],
  );
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

const restore = (file: readonly number[], request: Omit<UpscaleRequest, 'signal' | 'to'>) =>
  page.evaluate(
    ([bytes, options]) => {
      const { crispen, upscaler } = window;
      return crispen.attempt(upscaler, crispen.bytes(bytes), options);
    },
    [file, { output: 'image/png', ...request }] as const,
  );

function noisy(alpha: boolean): Rgba8Image {
  let state = 7;
  const data = Uint8ClampedArray.from({ length: 22 * 14 * 4 }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    if (i % 4 === 3) return alpha ? 255 - ((i >> 2) % 251) : 255;
    return 100 + 3 * ((i >> 2) % 22) + (state >>> 27);
  });
  return { width: 22, height: 14, data };
}

async function restored(image: Rgba8Image): Promise<Rgba8Image> {
  const { network, weights } = detect((await readWeights(NETWORK)).tensors);
  return (await upscaleOnCpu(network, weights, image)).image as Rgba8Image;
}

describe('a network of scale 1 in the browser', () => {
  it('keeps the size of a noisy image', async () => {
    const image = noisy(false);
    const outcome = await restore(await encode(image), { task: 'denoise', model });
    if (outcome.code !== null) throw new Error(outcome.message);
    expect(outcome).toMatchObject({ width: 22, height: 14, networkScale: 1, backend: 'webgpu' });
    const made = await decode(outcome.file);
    expectSamePicture(made, await restored(image));
    expect(made.data).not.toEqual(image.data);
  });

  it('keeps alpha as it was', async () => {
    const image = noisy(true);
    const outcome = await restore(await encode(image), { model });
    if (outcome.code !== null) throw new Error(outcome.message);
    const alpha = ({ data }: Rgba8Image) => data.filter((_, i) => i % 4 === 3);
    expect(alpha(await decode(outcome.file))).toEqual(alpha(image));
  });

  it('keeps 16 bits', async () => {
    const samples = Uint16Array.from({ length: 22 * 14 * 3 }, (_, i) => 9000 + 37 * i);
    const raw = { width: 22, height: 14, channels: 3 } as const;
    const file = await sharp(samples, { raw }).toColourspace('rgb16').png().toBuffer();
    const outcome = await restore([...file], { task: 'denoise', model });
    if (outcome.code !== null) throw new Error(outcome.message);
    expect(outcome.source.depth).toBe(16);
    const { data } = await sharp(Buffer.from(outcome.file))
      .removeAlpha()
      .toColourspace('rgb16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true });
    const made = new Uint16Array(data.buffer, data.byteOffset, samples.length);
    expect(new Set(made).size).toBeGreaterThan(256);
  });

  it('enlarges what it restored where a scale is asked for', async () => {
    const photo = [...(await readFile(PHOTO))];
    const outcome = await restore(photo, { task: 'denoise', model, scale: 2 });
    if (outcome.code !== null) throw new Error(outcome.message);
    expect(outcome).toMatchObject({ width: 48, height: 40, networkScale: 2 });
    expect(outcome.passes).toEqual([model, 'a2n-photo-x2']);
    const first = await restored(await decode(photo));
    expectSamePicture(await decode(outcome.file), await expected('a2n-photo-x2', first));
  });

  it('is drawn on a canvas', async () => {
    const size = await page.evaluate(
      async ([bytes, id]) => {
        const { crispen, upscaler } = window;
        const canvas = document.createElement('canvas');
        await upscaler.upscaleTo(canvas, crispen.bytes(bytes), { model: id });
        // The page receives the size with the worker's next frame.
        const deadline = performance.now() + 10_000;
        while (canvas.width === 300 && performance.now() < deadline) {
          await new Promise(requestAnimationFrame);
        }
        return [canvas.width, canvas.height];
      },
      [await encode(noisy(false)), model] as const,
    );
    expect(size).toEqual([22, 14]);
  });

  it('is listed with its task', async () => {
    const listed = await page.evaluate(() => window.upscaler.models());
    expect(listed).toMatchObject([{ id: model, task: 'denoise', scale: 1 }]);
  });

  it('demosaics what a sensor saw', async () => {
    const image = noisy(false);
    const wide = { ...image, data: Uint16Array.from(image.data, (v) => v * 257) };
    const mosaic = toMosaic(wide, 'GRBG');
    const made = await page.evaluate(
      async ([id, { data, ...rest }]) => {
        const { upscaler, crispen } = window;
        const seen = { ...rest, data: Uint16Array.from(data) };
        // The same file is added again, but for another task.
        const { id: own } = await upscaler.addModel(await upscaler.exportModel(id), {
          name: 'y',
          task: 'demosaic',
        });
        return crispen.attempt(upscaler, seen, {
          task: 'demosaic',
          model: own,
          output: 'image/png',
        });
      },
      [model, { ...mosaic, data: Array.from(mosaic.data) }] as const,
    );
    if (made.code !== null) throw new Error(made.message);
    expect([made.width, made.height, made.source.depth]).toEqual([22, 14, 16]);
    const wanted = await restored(toRgba8(demosaicBilinear(mosaic)));
    const { data } = await decode(made.file);
    expect(Math.max(...wanted.data.map((v, i) => Math.abs(v - data[i])))).toBeLessThanOrEqual(1);
  });

  it.each<[Omit<UpscaleRequest, 'signal' | 'to'>, string]>([
    [{ task: 'sharpen' as never }, 'INVALID_INPUT'],
    [{ task: 'denoise', model: 'a2n-x2' }, 'INVALID_INPUT'],
    [{ task: 'denoise', method: 'lanczos' }, 'INVALID_INPUT'],
    [{ task: 'demosaic' }, 'INVALID_INPUT'],
    [{ task: 'denoise', model: 'a3n-x2' }, 'MODEL_UNKNOWN'],
  ])('refuses %o', async (request, code) => {
    expect(await restore(await encode(noisy(false)), request)).toMatchObject({ code });
  });
});
