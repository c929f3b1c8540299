import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import type { UpscaleRequest } from '../src/index.ts';
import { detect, recognise } from '../src/networks/detect.ts';
import { readWeights } from '../src/weights/read.ts';
import { largeCheckpoint } from '../test/checkpoints/esrgan.ts';
import { launch } from './browser.ts';
import { decode, encode, expected, expectSamePicture, resized } from './oracle.ts';
import type { Outcome } from './page.ts';
import { INSECURE_HOST, type Served, serveForeign, serveSources } from './server.ts';

const PHOTO = 'e2e/images/chelsea-24x20.png';
const MODEL = 'a2n-photo-x2';

let site: Served;
/**
 * A crop of 12 x 10 pixels and its enlargement. It is small, because the software adapter is slow.
 */
let photo: number[];
let photoPixels: Rgba8Image;
let photoTwice: Rgba8Image;

beforeAll(async () => {
  site = await serveSources();
  const cut = { left: 6, top: 5, width: 12, height: 10 };
  photo = [...(await sharp(PHOTO).extract(cut).png().toBuffer())];
  photoPixels = await decode(photo);
  photoTwice = await expected(MODEL, photoPixels);
});

afterAll(() => site.close());

async function openPage(browser: Browser, url = `${site.url}bare`): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForFunction(() => window.crispen !== undefined);
  await page.evaluate(() => {
    Object.assign(window, { upscaler: window.crispen.createUpscaler() });
  });
  return page;
}

declare global {
  interface Window {
    upscaler: import('../src/index.ts').Upscaler;
  }
}

type PlainRequest = Omit<UpscaleRequest, 'signal' | 'onProgress' | 'to'>;

/** Upscales a file with the page's upscaler. */
function upscale(page: Page, file: number[], request: PlainRequest = {}): Promise<Outcome> {
  return page.evaluate(
    ([bytes, options]) => {
      const { crispen, upscaler } = window;
      return crispen.attempt(upscaler, crispen.bytes(bytes), options);
    },
    [file, request] as const,
  );
}

function succeeded(outcome: Outcome) {
  if (outcome.code !== null) throw new Error(`${outcome.code}: ${outcome.message}`);
  return outcome;
}

async function expectPhoto(outcome: Outcome): Promise<void> {
  expectSamePicture(await decode(succeeded(outcome).file), photoTwice);
}

/** Creates noise in every colour channel, with the given alpha. */
function noise(width: number, height: number, alpha: (i: number) => number): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = i % 4 === 3 ? alpha(i >> 2) : state >>> 24;
  }
  return { width, height, data };
}

describe('with an adapter', () => {
  let browser: Browser;
  let page: Page;
  const requested: string[] = [];

  beforeAll(async () => {
    browser = await launch({ webgpu: true });
    page = await openPage(browser);
    page.on('request', (request) => requested.push(request.url()));
  });

  afterAll(async () => {
    await browser.close();
    const strange = requested.filter((url) => !/^(data|blob):/.test(url));
    expect(strange.filter((url) => !url.startsWith(site.url))).toEqual([]);
    expect(strange).not.toEqual([]);
  });

  it('reports the adapter', async () => {
    const { backend, adapter, reason } = await page.evaluate(() => window.upscaler.detect());
    expect({ backend, reason }).toEqual({ backend: 'webgpu', reason: null });
    expect(adapter?.isFallbackAdapter).toBe(true);
  });

  // This test comes before all other jobs, because the first job downloads and prepares the model.
  it('enlarges a photo as the interpreter does', async () => {
    const file = [...(await readFile(PHOTO))];
    const outcome = succeeded(await upscale(page, file));
    expect(outcome).toMatchObject({
      backend: 'webgpu',
      model: MODEL,
      diagnostics: { tiles: 1, statistics: 'exact', approximate: false },
      type: 'image/png',
      inputWidth: 24,
      inputHeight: 20,
      width: 48,
      height: 40,
    });
    expectSamePicture(await decode(outcome.file), await expected(MODEL, await decode(file)));
    const fractions = outcome.progress.map((event) => event.fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(new Set(outcome.progress.map((event) => event.stage))).toEqual(
      new Set(['decode', 'download', 'prepare', 'upscale', 'encode']),
    );
    expect(outcome.progress.at(-1)).toEqual({ stage: 'encode', fraction: 1, remainingMs: 0 });
  });

  it('enlarges a part of a photo, and refuses one outside', async () => {
    const file = [...(await readFile(PHOTO))];
    const region = { x: 6, y: 5, width: 12, height: 10 };
    const outcome = succeeded(await upscale(page, file, { region }));
    expect(outcome).toMatchObject({ inputWidth: 12, inputHeight: 10, width: 24, height: 20 });
    await expectPhoto(outcome);
    const deep = [...(await sharp(PHOTO).toColourspace('rgb16').png().toBuffer())];
    const plain = { width: 6, method: 'lanczos', output: 'image/png' } as const;
    const small = succeeded(await upscale(page, deep, { ...plain, region }));
    expect(small).toMatchObject({ width: 6, height: 5, source: { depth: 16 } });
    expect((await sharp(Buffer.from(small.file)).metadata()).depth).toBe('ushort');
    const outside = await upscale(page, file, { region: { ...region, x: 13 } });
    expect(outside).toMatchObject({ code: 'INVALID_INPUT', hint: 'The image has 24 x 20 pixels.' });
    await expectPhoto(await upscale(page, photo));
  });

  it.each(['a2n-x3', 'a2n-photo-x4', 'pan-x4'])('enlarges with %s', async (model) => {
    const image = noise(9, 7, () => 255);
    const outcome = succeeded(await upscale(page, await encode(image), { model }));
    expect(outcome.model).toBe(model);
    expectSamePicture(await decode(outcome.file), await expected(model, image));
  });

  it.each<[string, Rgba8Image]>([
    ['1x1', noise(1, 1, () => 255)],
    ['3x200', noise(3, 200, () => 255)],
    ['half transparent', noise(16, 12, (i) => (i % 16 < 8 ? 255 : i % 200))],
    ['all but invisible', noise(6, 5, () => 3)],
  ])('is right on an image that is %s', async (_, image) => {
    const outcome = succeeded(await upscale(page, await encode(image), { output: 'image/png' }));
    expectSamePicture(await decode(outcome.file), await expected(MODEL, image));
  });

  it.each<[PlainRequest, [number, number], string[], number]>([
    [{ width: 19, model: 'a2n-x2' }, [19, 16], ['a2n-x2'], 2],
    [{ scale: 2.7 }, [32, 27], ['pan-photo-x3'], 3],
    [{ fit: { width: 7, height: 7 } }, [7, 6], [], 1],
    [{ scale: 3, method: 'lanczos' }, [36, 30], [], 1],
  ])('makes any size: %o', async (request, [width, height], passes, networkScale) => {
    const outcome = succeeded(await upscale(page, photo, { ...request, output: 'image/png' }));
    const [model = null] = passes;
    const backend = model ? 'webgpu' : 'lanczos';
    expect(outcome).toMatchObject({ width, height, passes, networkScale, model, backend });
    const made = await decode(outcome.file);
    expect([made.width, made.height]).toEqual([width, height]);
    if (!model) expectSamePicture(made, await resized(photoPixels, width, height));
  });

  it.each(['image/jpeg', 'image/webp'] as const)('writes %s', async (output) => {
    const outcome = succeeded(await upscale(page, photo, { output, quality: 1 }));
    expect(outcome.type).toBe(output);
    expect((await sharp(Buffer.from(outcome.file)).metadata()).format).toBe(output.slice(6));
    const { data } = await decode(outcome.file);
    const sum = data.reduce((total, value, i) => total + Math.abs(value - photoTwice.data[i]), 0);
    expect(sum / data.length).toBeLessThan(4);
  });

  it('turns a photo upright by its EXIF orientation', async () => {
    const turned = await sharp(Buffer.from(photo))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const outcome = succeeded(await upscale(page, [...turned]));
    expect([outcome.inputWidth, outcome.inputHeight]).toEqual([10, 12]);
  });

  it('takes every kind of source and leaves it to its owner', async () => {
    const outcomes = await page.evaluate(async (bytes) => {
      const { crispen, upscaler } = window;
      const { attempt } = crispen;
      const blob = crispen.bytes(bytes, 'image/png');
      const url = URL.createObjectURL(blob);
      const bitmap = await createImageBitmap(blob);
      const image = Object.assign(new Image(), { src: url });
      await image.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      context.drawImage(bitmap, 0, 0);
      const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
      const offscreen = new OffscreenCanvas(canvas.width, canvas.height);
      offscreen.getContext('2d')?.drawImage(bitmap, 0, 0);
      const sources = [bitmap, bitmap, image, canvas, pixels, pixels, offscreen, url, new URL(url)];
      const file = new File([blob], 'cat.png');
      return Promise.all([...sources, file].map((source) => attempt(upscaler, source)));
    }, photo);
    expect(outcomes).toHaveLength(10);
    for (const outcome of outcomes) await expectPhoto(outcome);
    const relative = await page.evaluate(
      (path) => window.crispen.attempt(window.upscaler, path),
      PHOTO,
    );
    expect(relative).toMatchObject({ code: null, inputWidth: 24, inputHeight: 20 });
  });

  describe('refuses', () => {
    const text = [...new TextEncoder().encode('This is a letter, not a picture.\n')];

    it.each<[string, () => number[] | Promise<number[]>, string, RegExp]>([
      ['an empty file', () => [], 'DECODE_FAILED', /empty/],
      ['text', () => text, 'DECODE_FAILED', /text/],
      ['a PNG that is cut', () => photo.slice(0, -20), 'DECODE_FAILED', /PNG file is incomplete/],
      [
        'a JPEG that is cut',
        async () => [...(await readFile('e2e/images/coffee-40x40.jpg'))].slice(0, 800),
        'DECODE_FAILED',
        /JPEG file is incomplete/,
      ],
      [
        'a PNG with damaged pixels',
        () => photo.map((byte, i) => (i >= 100 && i < 200 ? 0 : byte)),
        'DECODE_FAILED',
        /PNG/,
      ],
      [
        'a TIFF',
        async () => [...(await sharp(Buffer.from(photo)).tiff().toBuffer())],
        'DECODE_FAILED',
        /TIFF/,
      ],
      [
        'a PNG that claims 100,000 x 100,000 pixels',
        () => photo.toSpliced(16, 8, 0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0),
        'IMAGE_TOO_LARGE',
        /100000 x 100000/,
      ],
    ])('%s', async (_, file, code, words) => {
      const outcome = await upscale(page, await file());
      expect(outcome).toMatchObject({ code, message: expect.stringMatching(words) });
      await expectPhoto(await upscale(page, photo));
    });

    it.each<[PlainRequest, string]>([
      [{ model: 'a3n-x2' }, 'MODEL_UNKNOWN'],
      [{ scale: 17 }, 'INVALID_INPUT'],
      [{ scale: 2, width: 100 }, 'INVALID_INPUT'],
      [{ quality: 2 }, 'INVALID_INPUT'],
    ])('%o', async (request, code) => {
      expect(await upscale(page, photo, request)).toMatchObject({ code });
    });

    it('what is no image at all', async () => {
      const outcome = await page.evaluate(() =>
        window.crispen.attempt(window.upscaler, document.body as never),
      );
      expect(outcome).toMatchObject({ code: 'INVALID_INPUT' });
    });
  });

  it('refuses a weight file that is empty, bit-flipped or missing, and goes on', async () => {
    const fresh = await openPage(browser);
    await fresh.evaluate(() => {
      window.upscaler = window.crispen.createUpscaler({ cache: false });
    });
    const pattern = '**/models/*.safetensors';
    const whole = await readFile(`public/models/${MODEL}.safetensors`);
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1] ^= 1;
    for (const [answer, code] of [
      [{ body: Buffer.alloc(0) }, 'MODEL_CORRUPT'],
      [{ body: flipped }, 'MODEL_CORRUPT'],
      [{ status: 404, body: 'Not found' }, 'FETCH_FAILED'],
    ] as const) {
      await fresh.route(pattern, (route) => route.fulfill(answer));
      expect(await upscale(fresh, photo)).toMatchObject({ code });
      await fresh.unroute(pattern);
    }
    await expectPhoto(await upscale(fresh, photo));
    await fresh.close();
  });

  it('keeps the weights: a second upscaler downloads nothing', async () => {
    const before = requested.filter((url) => url.endsWith('.safetensors')).length;
    expect(before).toBeGreaterThan(0);
    const outcome = await page.evaluate(async (bytes) => {
      const { crispen } = window;
      const second = crispen.createUpscaler();
      await second.preload('a2n-photo-x2');
      return crispen.attempt(second, crispen.bytes(bytes)).finally(() => second.destroy());
    }, photo);
    await expectPhoto(outcome);
    expect(requested.filter((url) => url.endsWith('.safetensors'))).toHaveLength(before);
  });

  it("tells of pixels that belong to another site, and of one that can't be reached", async () => {
    const foreign = await serveForeign((_, response) => {
      response.setHeader('content-type', 'image/png').end(Buffer.from(photo));
    });
    const before = requested.length;
    const outcomes = await page.evaluate(async (url) => {
      const { attempt } = window.crispen;
      const image = Object.assign(new Image(), { src: url });
      await image.decode();
      const canvas = document.createElement('canvas');
      canvas.getContext('2d')?.drawImage(image, 0, 0);
      const bitmap = await createImageBitmap(image);
      const sources = [image, canvas, bitmap, url, 'http://127.0.0.1:9/', 'http://'];
      return Promise.all(sources.map((source) => attempt(window.upscaler, source)));
    }, `${foreign.url}cat.png`);
    expect(outcomes.map((outcome) => outcome.code)).toEqual([
      ...['CROSS_ORIGIN', 'CROSS_ORIGIN', 'CROSS_ORIGIN'],
      ...['FETCH_FAILED', 'FETCH_FAILED', 'INVALID_INPUT'],
    ]);
    expect(outcomes[0]).toMatchObject({ hint: expect.stringContaining('crossorigin') });
    // This test sent these requests to another origin on purpose, so they are removed from the
    // list.
    requested.splice(before);
    await expectPhoto(await upscale(page, photo));
    await foreign.close();
  });

  it('takes weight files by address, large ones with progress, and enlarges with them', async () => {
    const small = await readFile('test/checkpoints/compact_x3_params_bf16_zip.pth');
    const { bytes: large, parameters } = largeCheckpoint();
    const foreign = await serveForeign((incoming, response) => {
      const file = incoming.url === '/mine.pth' ? Buffer.from(large.buffer) : small;
      response.setHeader('access-control-allow-origin', '*');
      response.setHeader('content-length', file.length).end(file);
    });
    const before = requested.length;
    const { model, added, outcome, steps, left, code } = await page.evaluate(
      async ([url, file]) => {
        const { crispen, upscaler } = window;
        const { attempt, failure } = crispen;
        const steps: number[] = [];
        const onProgress = ({ fraction }: { fraction: number }) => void steps.push(fraction);
        const added = await upscaler.addModel(`${url}mine.pth`, { onProgress });
        const model = await upscaler.addModel(`${url}compact.pth?v=1`);
        const outcome = await attempt(upscaler, crispen.bytes(file), { model: model.id });
        await upscaler.removeModel(added.id);
        const left = await upscaler.models();
        await upscaler.removeModel(model.id);
        const { code } = await attempt(upscaler, crispen.bytes(file), { model: model.id });
        const gone = await upscaler.addModel('http://127.0.0.1:9/').catch(failure);
        return { model, added, outcome, steps, left, code: [code, 'code' in gone && gone.code] };
      },
      [foreign.url, photo] as const,
    );
    expect(added).toMatchObject({ name: 'mine', architecture: 'esrgan', scale: 4, parameters });
    expect(added.sha256).toBe(createHash('sha256').update(large).digest('hex'));
    expect(steps.length).toBeGreaterThan(10);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(model).toMatchObject({ name: 'compact', architecture: 'compact', scale: 3, kept: true });
    expect(left).toEqual([model]);
    expect(code).toEqual(['MODEL_UNKNOWN', 'FETCH_FAILED']);
    const { tensors } = await readWeights(small, recognise);
    const { network, weights } = detect(tensors);
    const { image } = await upscaleOnCpu(network, weights, photoPixels);
    const result = succeeded(outcome);
    expect(result).toMatchObject({ model: model.id, diagnostics: { approximate: false } });
    expectSamePicture(await decode(result.file), image);
    requested.splice(before);
    await foreign.close();
  });

  it('stops midway when it is told to, and works again at once', async () => {
    const [stopped, next] = await page.evaluate(async (bytes) => {
      const { crispen, upscaler } = window;
      const controller = new AbortController();
      const large = new ImageData(40, 40);
      large.data.fill(255);
      const first = crispen.attempt(upscaler, large, {
        signal: controller.signal,
        onProgress: ({ stage, fraction }) => {
          if (stage === 'upscale' && fraction > 0.2) controller.abort();
        },
      });
      return [await first, await crispen.attempt(upscaler, crispen.bytes(bytes))];
    }, photo);
    expect(stopped).toMatchObject({ code: 'ABORTED' });
    await expectPhoto(next);
  });

  it('runs jobs in their order and lets a waiting one be cancelled', async () => {
    const { order, outcomes } = await page.evaluate(async (bytes) => {
      const { crispen, upscaler } = window;
      const controller = new AbortController();
      const order: number[] = [];
      const jobs = [0, 1, 2].map((i) =>
        crispen
          .attempt(upscaler, crispen.bytes(bytes), {
            ...(i === 1 && { signal: controller.signal }),
          })
          .finally(() => order.push(i)),
      );
      setTimeout(() => controller.abort(), 0);
      return { outcomes: await Promise.all(jobs), order };
    }, photo);
    expect(order).toEqual([1, 0, 2]);
    expect(outcomes[1]).toMatchObject({ code: 'ABORTED' });
    await expectPhoto(outcomes[0]);
    await expectPhoto(outcomes[2]);
  });

  it.each([
    ['throw', 'upscale'],
    ['close', 'download'],
  ])('outlives a worker that dies (%s during %s)', async (how, when) => {
    const [before, after, made] = await page.evaluate(
      async ([bytes, death, hour]) => {
        const { crispen } = window;
        let made = 0;
        const upscaler = crispen.createUpscaler({
          worker: () => {
            made++;
            return new Worker('/e2e/mortal-worker.mjs', { type: 'module' });
          },
        });
        let killed = false;
        const source = crispen.bytes(bytes);
        const doomed = crispen.attempt(upscaler, source, {
          onProgress: ({ stage }) => {
            if (stage !== hour || killed) return;
            killed = true;
            new BroadcastChannel('mortal-worker').postMessage(death);
          },
        });
        const waiting = crispen.attempt(upscaler, source);
        const before = await Promise.all([doomed, waiting]);
        const after = await crispen.attempt(upscaler, source);
        upscaler.destroy();
        return [before, after, made] as const;
      },
      [photo, how, when] as const,
    );
    expect(before.map((outcome) => outcome.code)).toEqual(['WORKER_FAILED', 'WORKER_FAILED']);
    await expectPhoto(after);
    expect(made).toBe(2);
  });

  it('starts another worker when an idle one has died', async () => {
    const [first, next, made] = await page.evaluate(async (bytes) => {
      const { crispen } = window;
      let made = 0;
      const upscaler = crispen.createUpscaler({
        worker: () => {
          made++;
          return new Worker('/e2e/mortal-worker.mjs', { type: 'module' });
        },
      });
      const first = await crispen.attempt(upscaler, crispen.bytes(bytes));
      const channel = new BroadcastChannel('mortal-worker');
      const closed = new Promise((resolve) => channel.addEventListener('message', resolve));
      channel.postMessage('close');
      await closed;
      const next = await crispen.attempt(upscaler, crispen.bytes(bytes));
      upscaler.destroy();
      return [first, next, made] as const;
    }, photo);
    await expectPhoto(first);
    await expectPhoto(next);
    expect(made).toBe(2);
  });

  it('says so when there is no worker to start', async () => {
    const fresh = await openPage(browser);
    const outcomes = await fresh.evaluate(async () => {
      const { crispen } = window;
      const missing = () => new Worker('/no-such-worker.mjs', { type: 'module' });
      const foreign = () => new Worker('https://example.invalid/worker.js');
      return Promise.all(
        [missing, foreign].map((worker) =>
          crispen.attempt(crispen.createUpscaler({ worker }), new ImageData(1, 1)),
        ),
      );
    });
    expect(outcomes.map((o) => o.code)).toEqual(['WORKER_FAILED', 'WORKER_FAILED']);
    await fresh.close();
  });

  it('goes on where it was after the loss of the GPU, and says so', async () => {
    const busy = page.waitForEvent('console', (message) => message.text() === 'busy');
    const lost = page.evaluate(() => {
      let told = false;
      return window.crispen.attempt(window.upscaler, new ImageData(64, 64), {
        onProgress: ({ stage, fraction }) => {
          if (told || stage !== 'upscale' || fraction < 0.2) return;
          told = true;
          console.log('busy');
        },
      });
    });
    await busy;
    const session = await browser.newBrowserCDPSession();
    await session.send('Browser.crashGpuProcess');
    expect(await lost).toMatchObject({ diagnostics: { recovered: ['device-lost'] } });
    await expectPhoto(await upscale(page, photo));
  });

  it('rejects what is pending when it is destroyed', async () => {
    const outcomes = await page.evaluate(async (bytes) => {
      const { crispen } = window;
      const upscaler = crispen.createUpscaler();
      const pending = crispen.attempt(upscaler, crispen.bytes(bytes), {
        onProgress: () => upscaler.destroy(),
      });
      return [await pending, await crispen.attempt(upscaler, crispen.bytes(bytes))];
    }, photo);
    expect(outcomes.map((outcome) => outcome.code)).toEqual(['ABORTED', 'INVALID_INPUT']);
  });
});

describe('without an adapter', () => {
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await launch({ webgpu: false });
    page = await openPage(browser, `${site.url}bare?backend=auto`);
  });

  afterAll(() => browser.close());

  it('says why, and what to do', async () => {
    const found = await page.evaluate(async () => {
      const { backend, reason, cpu } = await window.upscaler.detect();
      return { backend, cpu, code: reason?.code, hint: reason?.hint };
    });
    expect(found).toMatchObject({ backend: 'cpu', code: 'NO_WEBGPU', cpu: { shared: false } });
    expect(found.cpu?.code).toMatch(/simd/);
    expect(found.hint).not.toBe('');
  });

  it('is an error where the GPU was asked for', async () => {
    const fresh = await openPage(browser);
    const backend = await fresh.evaluate(async () => (await window.upscaler.detect()).backend);
    expect(backend).toBe('none');
    expect(await upscale(fresh, photo)).toMatchObject({ code: 'NO_WEBGPU' });
    await fresh.close();
  });

  it('makes the same picture on the CPU', async () => {
    const outcome = succeeded(await upscale(page, photo));
    expect(outcome).toMatchObject({ backend: 'cpu', model: MODEL, adapter: null });
    await expectPhoto(outcome);
  });

  it('estimates the time, to within three times, and takes images of any size', async () => {
    const milliseconds = await page.evaluate(() =>
      Promise.all([8, 128].map((side) => window.upscaler.estimateCpu(side, side))),
    );
    expect(milliseconds[0]).toBeGreaterThan(0);
    expect(milliseconds[1]).toBeGreaterThan(milliseconds[0] * 20);
    const large = await encode(noise(300, 200, () => 255));
    const outcome = succeeded(await upscale(page, large));
    expect(outcome).toMatchObject({ backend: 'cpu', width: 600, height: 400 });
    const estimated = await page.evaluate(() => window.upscaler.estimateCpu(300, 200));
    console.info(
      `300 x 200 on the CPU: ${Math.round(outcome.diagnostics.milliseconds)} ms, estimated ${Math.round(estimated)}`,
    );
    expect(outcome.diagnostics.milliseconds / estimated).toBeGreaterThan(1 / 3);
    expect(outcome.diagnostics.milliseconds / estimated).toBeLessThan(3);
  });

  it('cancels on the CPU within 100 ms or so, and goes on', async () => {
    const large = await encode(noise(300, 200, () => 255));
    const { code, milliseconds } = await page.evaluate(async (bytes) => {
      const controller = new AbortController();
      const image = new Blob([Uint8Array.from(bytes)]);
      let cancelled = 0;
      const request = { signal: controller.signal };
      const onProgress = ({ stage, fraction }: { stage: string; fraction: number }) => {
        if (stage !== 'upscale' || fraction < 0.1 || cancelled > 0) return;
        cancelled = performance.now();
        controller.abort();
      };
      const code = await window.upscaler.upscale(image, { ...request, onProgress }).then(
        () => null,
        (error) => error.name,
      );
      return { code, milliseconds: performance.now() - cancelled };
    }, large);
    expect(code).toBe('AbortError');
    expect(milliseconds).toBeLessThan(300);
    await expectPhoto(succeeded(await upscale(page, photo)));
  });

  it.each([
    ["script-src 'self' 'wasm-unsafe-eval'", true],
    ["script-src 'self'", false],
  ])('under the policy %s', async (policy, allowed) => {
    const strict = await serveSources(policy);
    const fresh = await openPage(browser, `${strict.url}bare?backend=auto`);
    try {
      await expectPhoto(succeeded(await upscale(fresh, photo)));
      const large = await encode(noise(129, 128, () => 255));
      const outcome = await upscale(fresh, large);
      if (allowed) expect(outcome).toMatchObject({ backend: 'cpu', width: 258 });
      else {
        expect(outcome).toMatchObject({
          code: 'IMAGE_TOO_LARGE',
          message: expect.stringContaining('WebAssembly'),
        });
      }
    } finally {
      await fresh.close();
      await strict.close();
    }
  });

  it('resizes by Lanczos when told to, and says so', async () => {
    const outcome = succeeded(await upscale(page, photo, { method: 'lanczos', scale: 3 }));
    expect(outcome).toMatchObject({ backend: 'lanczos', model: null });
    expectSamePicture(await decode(outcome.file), await resized(photoPixels, 36, 30));
  });

  it('names plain http as the cause, and the CPU path works there', async () => {
    const insecure = `http://${INSECURE_HOST}:${new URL(site.url).port}/bare?backend=auto`;
    const fresh = await openPage(browser, insecure);
    const code = await fresh.evaluate(async () => (await window.upscaler.detect()).reason?.code);
    expect(code).toBe('INSECURE_CONTEXT');
    await expectPhoto(await upscale(fresh, photo));
    await fresh.close();
  });
});
