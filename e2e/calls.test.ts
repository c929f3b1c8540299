/**
 * Tests unusual calls to the library: wrong options, objects from other realms, and calls from a
 * worker instead of a page.
 */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rgba8Image } from '../src/image/image.ts';
import { launch } from './browser.ts';
import { decode, expected, expectSamePicture, resized } from './oracle.ts';
import type { Outcome } from './page.ts';
import { type Served, serveSources } from './server.ts';

let site: Served;
let browser: Browser;
let page: Page;
/** An image of 12 x 10 pixels, and its Lanczos enlargement to twice the size. */
let photo: number[];
let pixels: Rgba8Image;
let twice: Rgba8Image;

beforeAll(async () => {
  site = await serveSources();
  const cut = { left: 6, top: 5, width: 12, height: 10 };
  photo = [...(await sharp('e2e/images/chelsea-24x20.png').extract(cut).png().toBuffer())];
  pixels = await decode(photo);
  twice = await resized(pixels, 24, 20);
  browser = await launch({ webgpu: false });
  page = await browser.newPage();
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  await page.evaluate(() => {
    const { crispen } = window;
    const upscaler = crispen.createUpscaler();
    /** Resizes with Lanczos, because it is fast. */
    const resize = (source: unknown, request: object = {}) =>
      crispen.attempt(upscaler, source as never, {
        method: 'lanczos',
        scale: 2,
        output: 'image/png',
        ...request,
      });
    Object.assign(window, { upscaler, resize });
  });
});

afterAll(async () => {
  await browser.close();
  await site.close();
});

declare global {
  interface Window {
    resize: (source: unknown, request?: object) => Promise<Outcome>;
  }
}

async function expectTwice(outcome: Outcome | undefined): Promise<void> {
  if (!outcome || outcome.code !== null) throw new Error(JSON.stringify(outcome));
  expectSamePicture(await decode(outcome.file), twice);
}

const again = () =>
  page.evaluate((bytes) => window.resize(window.crispen.bytes(bytes)), photo).then(expectTwice);

describe('wrong options', () => {
  it('300 random calls: INVALID_INPUT or MODEL_UNKNOWN, and the next call works', async () => {
    const { codes, next, strange } = await page.evaluate(async (bytes) => {
      const { crispen, upscaler, resize } = window;
      const file = crispen.bytes(bytes);
      const strange: string[] = [];
      const codes: string[] = [];
      let next = 0;
      for (const { call, options } of crispen.wrongCalls(16, 300)) {
        const given = options as never;
        const calls = {
          createUpscaler: () => crispen.createUpscaler(given),
          preload: () => upscaler.preload('a2n-x2', given),
          upscale: () => upscaler.upscale(file, given),
          upscaleTo: () => upscaler.upscaleTo(document.createElement('canvas'), file, given),
          inspect: () => upscaler.inspect(file, given),
          estimateCpu: () => upscaler.estimateCpu(6, 5, given),
          addModel: () => upscaler.addModel(file, given),
          exportModel: () => upscaler.exportModel('own-1', given),
          encode: () => upscaler.encode(file, given),
        };
        try {
          await calls[call]();
          strange.push(`${call} took ${Object.keys(Object(options))}`);
        } catch (error) {
          if (error instanceof crispen.CrispenError) codes.push(error.code);
          else strange.push(`${call}: ${error}`);
        }
        const { code } = await resize(file);
        if (code === null) next++;
      }
      return { codes, next, strange };
    }, photo);
    expect(strange).toEqual([]);
    expect(next).toBe(300);
    const count = (code: string) => codes.filter((found) => found === code).length;
    console.log(`INVALID_INPUT ${count('INVALID_INPUT')}, MODEL_UNKNOWN ${count('MODEL_UNKNOWN')}`);
    expect(count('INVALID_INPUT') + count('MODEL_UNKNOWN')).toBe(300);
    expect(count('MODEL_UNKNOWN')).toBeGreaterThan(5);
    await again();
  });

  it.each([
    ['preview', ['NaN', '"abc"', '0', '-5', 'true', 'null']],
    ['width', ['1e9', '2 ** 31 - 1', '193']],
    ['fit', ['({ width: 1e9, height: 1e9 })']],
    ['signal', ['({})', 'null', 'new EventTarget()']],
  ])('%s of %j', async (name, values) => {
    const found = await page.evaluate(
      async ([bytes, option, list]) => {
        const { crispen, upscaler } = window;
        return Promise.all(
          list.map((value) =>
            crispen.attempt(upscaler, crispen.bytes(bytes), {
              method: 'lanczos',
              output: 'image/png',
              // biome-ignore lint/security/noGlobalEval: some values do not travel
              [option]: eval(value),
            }),
          ),
        );
      },
      [photo, name, values] as const,
    );
    expect(found.map(({ code }) => code)).toEqual(values.map(() => 'INVALID_INPUT'));
    await again();
  });
});

describe('objects of another realm', () => {
  it('are sources as good as those of this one', async () => {
    const outcomes = await page.evaluate(async (bytes) => {
      const { crispen, resize } = window;
      const frame = document.createElement('iframe');
      frame.srcdoc = '<title>Another realm</title>';
      const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
      document.body.append(frame);
      await loaded;
      const other = frame.contentWindow as Window & typeof globalThis;
      const blob = new other.Blob([crispen.bytes(bytes)], { type: 'image/png' });
      if (blob instanceof Blob) throw new Error('that is no other realm');
      const url = URL.createObjectURL(blob);
      const bitmap = await other.createImageBitmap(blob);
      const image = Object.assign(other.document.createElement('img'), { src: url });
      await image.decode();
      const canvas = other.document.createElement('canvas');
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      context.drawImage(bitmap, 0, 0);
      const offscreen = new other.OffscreenCanvas(canvas.width, canvas.height);
      offscreen.getContext('2d')?.drawImage(bitmap, 0, 0);
      const data = context.getImageData(0, 0, canvas.width, canvas.height);
      const imageData = new other.ImageData(
        new other.Uint8ClampedArray(data.data),
        ...([data.width, data.height] as const),
      );
      const sources = {
        blob,
        file: new other.File([blob], 'cat.png'),
        url: new other.URL(url),
        bitmap,
        image,
        canvas,
        offscreen,
        imageData,
      };
      const found: Record<string, Outcome> = {};
      for (const [name, source] of Object.entries(sources)) found[name] = await resize(source);
      frame.remove();
      found['blob of a frame that went'] = await resize(blob);
      return found;
    }, photo);
    expect(Object.keys(outcomes)).toHaveLength(9);
    for (const [name, outcome] of Object.entries(outcomes)) {
      await expectTwice(outcome).catch((error) => {
        throw new Error(`${name}: ${error}`);
      });
    }
  });

  it('are signals, targets, canvases and weight files', async () => {
    const weights = [...(await readFile('test/checkpoints/compact_x2_params_views_zip.pth'))];
    const found = await page.evaluate(
      async ([bytes, checkpoint]) => {
        const { crispen, upscaler, resize } = window;
        const frame = document.createElement('iframe');
        document.body.append(frame);
        const other = frame.contentWindow as Window & typeof globalThis;
        const file = crispen.bytes(bytes);
        const controller = new other.AbortController();
        const aborting = resize(file, {
          signal: controller.signal,
          onProgress: () => controller.abort(),
        });
        const { code } = await aborting;
        const parts: Uint8Array[] = [];
        const to = new other.WritableStream<Uint8Array>({ write: (part) => void parts.push(part) });
        const request = { method: 'lanczos', scale: 2 } as const;
        await upscaler.upscale(file, { ...request, to });
        const canvas = other.document.createElement('canvas');
        const drawn = await upscaler.upscaleTo(canvas, file, request);
        const encoded = await upscaler.encode(new other.Blob([file]), { type: 'image/webp' });
        const bitmap = await other.createImageBitmap(file);
        const fromBitmap = await upscaler.encode(bitmap, { type: 'image/png' });
        const pth = new other.File([crispen.bytes(checkpoint)], 'theirs.pth');
        const added = await upscaler.addModel(pth);
        await upscaler.removeModel(added.id);
        return {
          code,
          size: new Blob(parts as BlobPart[]).size,
          drawn: drawn.width,
          types: [encoded.type, fromBitmap.type],
          name: added.name,
        };
      },
      [photo, weights] as const,
    );
    expect(found).toMatchObject({
      code: 'ABORTED',
      drawn: 24,
      types: ['image/webp', 'image/png'],
      name: 'theirs',
    });
    expect(found.size).toBeGreaterThan(100);
  });

  it('a signal of a polyfill ends a job', async () => {
    const code = await page.evaluate(async (bytes) => {
      const listeners = new Set<() => void>();
      const signal = {
        aborted: false,
        addEventListener: (_: string, listener: () => void) => void listeners.add(listener),
        removeEventListener: (_: string, listener: () => void) => void listeners.delete(listener),
      };
      const job = window.resize(window.crispen.bytes(bytes), {
        signal,
        onProgress: () => {
          for (const listener of listeners) listener();
        },
      });
      return (await job).code;
    }, photo);
    expect(code).toBe('ABORTED');
    await again();
  });

  it('what was transferred, closed or never was a picture is INVALID_INPUT', async () => {
    const codes = await page.evaluate(async () => {
      const { upscaler, resize, crispen } = window;
      const gone = new ImageData(8, 6);
      structuredClone(gone.data.buffer, { transfer: [gone.data.buffer] });
      const closed = await createImageBitmap(new ImageData(4, 4));
      closed.close();
      const given = new OffscreenCanvas(4, 4);
      structuredClone(given, { transfer: [given] });
      const samples = new Uint16Array(4);
      structuredClone(samples.buffer, { transfer: [samples.buffer] });
      const mosaic = { width: 2, height: 2, data: samples, pattern: 'RGGB' };
      const input = document.createElement('input');
      const posing = { [Symbol.toStringTag]: 'Blob', size: 3, type: 'image/png' };
      const sources = {
        gone,
        closed,
        given,
        mosaic,
        input,
        posing,
        nothing: null,
        body: document.body,
      };
      const found: Record<string, string | null> = {};
      for (const [name, source] of Object.entries(sources)) {
        found[name] = (await resize(source)).code;
      }
      const encoded = upscaler.encode(closed, { type: 'image/png' });
      found.encoded = await encoded.then(
        () => null,
        (error) => crispen.failure(error).code,
      );
      return found;
    });
    expect(new Set(Object.values(codes)), JSON.stringify(codes)).toEqual(
      new Set(['INVALID_INPUT']),
    );
    expect(Object.keys(codes)).toHaveLength(9);
    await again();
  });
});

describe('in a worker', () => {
  /**
   * Returns the result for a file, computed in a worker that the page starts. The worker runs
   * either a script or a Blob that imports this script.
   */
  const inWorker = (how: 'direct' | 'blob', options: object, request: object, source?: string) =>
    page.evaluate(
      async ([way, upscalerOptions, asked, bytes, address]) => {
        const script = new URL('/e2e/nested-worker.ts', location.href).href;
        const wrapped = new Blob([`import ${JSON.stringify(script)}`], { type: 'text/javascript' });
        const at = way === 'direct' ? script : URL.createObjectURL(wrapped);
        const worker = new Worker(at, { type: 'module' });
        const answer = () =>
          new Promise<MessageEvent>((resolve, reject) => {
            worker.onmessage = resolve;
            worker.onerror = (event) => reject(new Error(event.message));
          });
        await answer();
        const file = address ?? window.crispen.bytes(bytes);
        worker.postMessage({ file, request: asked, options: upscalerOptions });
        const { data } = await answer();
        worker.terminate();
        const made = data.image ? [...new Uint8Array(await data.image.arrayBuffer())] : [];
        return { ...data, image: null, file: made };
      },
      [how, options, request, photo, source] as const,
    );

  it.each(['direct', 'blob'] as const)(
    'enlarges (%s), weights at a relative address',
    async (how) => {
      const options = { baseUrl: '/models/', cache: false };
      const made = await inWorker(how, options, { model: 'pan-x2' });
      expect(made).toMatchObject({ code: null, backend: 'cpu', model: 'pan-x2' });
      expectSamePicture(await decode(made.file), await expected('pan-x2', pixels));
    },
  );

  it('resolves addresses of pictures against its script', async () => {
    const request = { method: 'lanczos', scale: 2 };
    const made = await inWorker('direct', {}, request, 'images/chelsea-24x20.png');
    expect(made).toMatchObject({ code: null, width: 48, height: 40 });
  });

  it('checks options as on a page', async () => {
    const wrong = await inWorker('direct', { memoryBudget: 'much' }, {});
    expect(wrong).toMatchObject({ code: 'INVALID_INPUT' });
    const wild = await inWorker('direct', {}, { preview: Number.NaN });
    expect(wild).toMatchObject({ code: 'INVALID_INPUT' });
  });
});
