import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { encode } from './oracle.ts';
import type { Served } from './server.ts';
import { serveSources } from './server.ts';

/** A tiny network, because the software adapter is slow. */
const X2 = '/test/checkpoints/compact_x2_params_views_zip.pth';

let site: Served;
let browser: Browser;
let page: Page;

async function open(webgpu: boolean): Promise<void> {
  browser = await launch({ webgpu });
  page = await browser.newPage();
  await page.goto(`${site.url}bare${webgpu ? '' : '?backend=auto'}`);
  await page.waitForFunction(() => window.crispen !== undefined);
  await page.evaluate(async (url) => {
    const upscaler = window.crispen.createUpscaler();
    const { id } = await upscaler.addModel(url);
    /** Returns the content of a canvas after its frame has come from the worker. */
    const shown = async (canvas: HTMLCanvasElement, width: number) => {
      for (let i = 0; i < 600 && canvas.width !== width; i++) await frame();
      for (let i = 0; i < 3; i++) await frame();
      return pixels(canvas);
    };
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const pixels = (image: HTMLCanvasElement | ImageBitmap) => {
      const copy = new OffscreenCanvas(image.width, image.height);
      const context = copy.getContext('2d') as OffscreenCanvasRenderingContext2D;
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, copy.width, copy.height).data];
    };
    Object.assign(window, { upscaler, model: id, shown, pixels });
  }, X2);
}

declare global {
  interface Window {
    model: string;
    shown: (canvas: HTMLCanvasElement, width: number) => Promise<number[]>;
    pixels: (image: ImageBitmap) => number[];
  }
}

/** Draws on one of the page's canvases, and also returns the result of `upscale`. */
const both = (file: number[], options: { memoryBudget?: number } = {}) =>
  page.evaluate(
    async ([bytes, { memoryBudget }]) => {
      const { crispen, model, shown, pixels } = window;
      const own = memoryBudget === undefined ? null : crispen.createUpscaler({ memoryBudget });
      const upscaler = own ?? window.upscaler;
      const canvas = document.createElement('canvas');
      document.body.append(canvas);
      const request = { model };
      const source = crispen.bytes(bytes);
      const { image, ...drawn } = await upscaler.upscaleTo(canvas, source, request);
      const actual = await shown(canvas, drawn.width);
      const result = await upscaler.upscale(source, request);
      const wanted = pixels(result.image as ImageBitmap);
      own?.destroy();
      canvas.remove();
      // A canvas stores premultiplied colours. At low alpha, only premultiplied colours can be
      // compared.
      const seen = (data: number[]) =>
        data.map((value, i) => (i % 4 === 3 ? value : Math.round((value * data[i | 3]) / 255)));
      const other = seen(actual);
      const worst = Math.max(...seen(wanted).map((value, i) => Math.abs(value - other[i])));
      const { diagnostics } = drawn;
      return { image, drawn, diagnostics, worst, count: [actual.length, wanted.length] };
    },
    [file, options] as const,
  );

beforeAll(async () => {
  site = await serveSources();
});
afterAll(() => site.close());

describe('upscaleTo', () => {
  beforeAll(() => open(true));
  afterAll(() => browser.close());

  it.each<[string, number, number, boolean]>([
    ['an opaque picture, on the GPU', 13, 9, false],
    ['one of a single pixel', 1, 1, false],
    ['a transparent one, painted', 12, 7, true],
  ])('shows what upscale() gives: %s', async (_, width, height, alpha) => {
    const { image, drawn, diagnostics, worst, count } = await both(
      await encode(picture(width, height, alpha)),
    );
    expect(image).toBeNull();
    expect([drawn.width, drawn.height]).toEqual([2 * width, 2 * height]);
    expect(count).toEqual([16 * width * height, 16 * width * height]);
    expect(worst).toBeLessThanOrEqual(1);
    expect(drawn.backend).toBe('webgpu');
    expect(diagnostics).toMatchObject({
      noGpu: null,
      tiles: 1,
      tileSize: [width, height],
      statistics: 'exact',
      gpuBytes: expect.any(Number),
    });
    const { decode, upscale, encode: encoding } = diagnostics.timings;
    for (const time of [decode, upscale, encoding]) expect(time).toBeGreaterThanOrEqual(0);
    expect(upscale).toBeGreaterThan(0);
  });

  it('draws tile by tile, where the memory does not suffice for the whole', async () => {
    const file = await encode(picture(40, 36, false));
    const { diagnostics, worst } = await both(file, { memoryBudget: 420_000 });
    expect(diagnostics.tiles).toBeGreaterThan(1);
    expect(worst).toBeLessThanOrEqual(1);
  });

  it('takes an offscreen canvas', async () => {
    const worst = await page.evaluate(
      async (bytes) => {
        const { crispen, upscaler, model, shown, pixels } = window;
        const canvas = document.createElement('canvas');
        document.body.append(canvas);
        const offscreen = canvas.transferControlToOffscreen();
        const source = crispen.bytes(bytes);
        const { width } = await upscaler.upscaleTo(offscreen, source, { model });
        const actual = await shown(canvas, width);
        const { image } = await upscaler.upscale(source, { model });
        const wanted = pixels(image as ImageBitmap);
        canvas.remove();
        return Math.max(...wanted.map((value, i) => Math.abs(value - actual[i])));
      },
      await encode(picture(9, 11, false)),
    );
    expect(worst).toBeLessThanOrEqual(1);
  });

  it('refuses what it cannot draw on, says why, and can be cancelled', async () => {
    const wide = [
      ...(await sharp({ create: { width: 4100, height: 1, channels: 3, background: 'red' } })
        .png()
        .toBuffer()),
    ];
    const codes = await page.evaluate(
      async ([bytes, wide]) => {
        const { crispen, upscaler, model } = window;
        const source = crispen.bytes(bytes);
        const codeOf = (work: Promise<unknown>) =>
          work.then(
            () => null,
            (error) => crispen.failure(error).code,
          );
        const used = document.createElement('canvas');
        used.getContext('2d');
        const given = document.createElement('canvas');
        const first = await codeOf(upscaler.upscaleTo(given, source, { model }));
        const offscreen = new OffscreenCanvas(4, 4);
        offscreen.getContext('2d');
        const fresh = () => document.createElement('canvas');
        const untouched = fresh();
        const abort = new AbortController();
        const cancelled = codeOf(
          upscaler.upscaleTo(fresh(), source, { model, signal: abort.signal }),
        );
        abort.abort();
        return [
          first,
          await codeOf(upscaler.upscaleTo(given, source, { model })),
          await codeOf(upscaler.upscaleTo(used, source, { model })),
          await codeOf(upscaler.upscaleTo(offscreen, source, { model })),
          await codeOf(upscaler.upscaleTo(untouched, source, { model: 'none' })),
          // The page can still use a canvas that was rejected.
          untouched.getContext('2d') && null,
          await codeOf(upscaler.upscaleTo(fresh(), crispen.bytes(wide), { model })),
          await cancelled,
          await codeOf(upscaler.upscaleTo(fresh(), source, { model })),
        ];
      },
      [await encode(picture(8, 8, false)), wide] as const,
    );
    expect(codes).toEqual([
      ...[null, 'INVALID_INPUT', 'INVALID_INPUT', 'INVALID_INPUT', 'MODEL_UNKNOWN', null],
      ...['IMAGE_TOO_LARGE', 'ABORTED', null],
    ]);
  });

  it('ends with `await using`', async () => {
    const code = await page.evaluate(async () => {
      const upscaler = window.crispen.createUpscaler();
      await upscaler.detect();
      await upscaler[Symbol.asyncDispose]();
      return upscaler.detect().catch((error) => window.crispen.failure(error).code);
    });
    expect(code).toBe('INVALID_INPUT');
  });
});

describe('upscaleTo without an adapter', () => {
  beforeAll(() => open(false));
  afterAll(() => browser.close());

  it('paints the result of the CPU', async () => {
    const { drawn, diagnostics, worst } = await both(await encode(picture(6, 5, false)));
    expect(worst).toBeLessThanOrEqual(1);
    expect(drawn.backend).toBe('cpu');
    expect(diagnostics.gpuBytes).toBe(0);
    expect(diagnostics.noGpu).toContain('adapter');
  });
});
