/** Tests the library on the CPU, in a Chromium without WebGPU. */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuModel } from '../src/cpu/model.ts';
import { upscale as upscaleInWasm } from '../src/cpu/upscale.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import type { UpscaleRequest, UpscalerOptions } from '../src/index.ts';
import { chooseModel } from '../src/node/model.ts';
import { patience } from '../test/patience.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { decode, encode, expected, expectSamePicture } from './oracle.ts';
import type { Outcome } from './page.ts';
import { ISOLATING, type Served, serveSources } from './server.ts';

const CAT = 'public/samples/cat.jpg';
const MODEL = 'a2n-photo-x2';

let plain: Served;
let isolated: Served;
let browser: Browser;
/**
 * A picture of 300 x 200 pixels, and its enlargement to twice the size, which one thread in Node
 * computes.
 */
let cat: number[];
let catTwice: Rgba8Image;

beforeAll(async () => {
  [plain, isolated] = [await serveSources(), await serveSources(undefined, ISOLATING)];
  browser = await launch({ webgpu: false });
  cat = [...(await readFile(CAT))];
  // The oracle's plain loops would take minutes. A test in `src/cpu` compares them with the code
  // that is used here.
  const { network, weights } = await chooseModel({ model: MODEL });
  catTwice = (await upscaleInWasm(await CpuModel.load(network, weights), await decode(cat))).image;
});

afterAll(async () => {
  await browser?.close();
  await Promise.all([plain?.close(), isolated?.close()]);
});

async function openPage(site: Served, options: UpscalerOptions, query = 'backend=auto') {
  const page = await browser.newPage();
  await page.goto(`${site.url}bare?${query}`);
  await page.waitForFunction(() => window.crispen !== undefined);
  await page.evaluate((given) => {
    window.upscaler = window.crispen.createUpscaler(given);
  }, options as object);
  return page;
}

const upscale = (page: Page, file: number[], request: Omit<UpscaleRequest, 'to'> = {}) =>
  page.evaluate(
    ([bytes, options]) => {
      const { crispen, upscaler } = window;
      return crispen.attempt(upscaler, crispen.bytes(bytes), options as object);
    },
    [file, request as object] as const,
  );

function succeeded(outcome: Outcome) {
  if (outcome.code !== null) throw new Error(JSON.stringify(outcome));
  return outcome;
}

describe.each([
  ['a page as any other, in bands', () => plain, { shared: false, tiles: 2 }],
  ['a cross-origin isolated page, in shared memory', () => isolated, { shared: true, tiles: 1 }],
] as const)('on %s', (_, site, { shared, tiles }) => {
  let page: Page;
  beforeAll(async () => {
    page = await openPage(site(), { threads: 2 });
  });
  afterAll(() => page.close());

  it('two threads enlarge a photo of 300 x 200 in less than 20 s, right to the bit', async () => {
    const { cpu, backend } = await page.evaluate(() => window.upscaler.detect());
    expect({ cpu, backend }).toMatchObject({ cpu: { shared, threads: 2 }, backend: 'cpu' });
    const started = performance.now();
    const outcome = succeeded(await upscale(page, cat));
    const seconds = (performance.now() - started) / 1000;
    console.info(`300 x 200, two threads, shared memory: ${shared}: ${seconds.toFixed(1)} s`);
    expect(seconds).toBeLessThan(patience(20));
    expectSamePicture(await decode(outcome.file), catTwice);
    const { diagnostics } = outcome;
    expect(outcome.backend).toBe('cpu');
    expect(diagnostics).toMatchObject({ threads: 2, tiles, statistics: 'exact' });
    expect(diagnostics.noGpu).toContain('adapter');
    const single = await openPage(site(), { threads: 1 });
    const alone = succeeded(await upscale(single, cat));
    expect(alone.diagnostics).toMatchObject({ threads: 1, tiles: 1 });
    expect(alone.file).toEqual(outcome.file);
    await single.close();
  });

  it('cancels, and goes on', async () => {
    const { name, milliseconds } = await page.evaluate(async (bytes) => {
      const controller = new AbortController();
      let cancelled = 0;
      const onProgress = ({ stage, fraction }: { stage: string; fraction: number }) => {
        if (stage !== 'upscale' || fraction < 0.1 || cancelled > 0) return;
        cancelled = performance.now();
        controller.abort();
      };
      const request = { signal: controller.signal, onProgress };
      const name = await window.upscaler.upscale(window.crispen.bytes(bytes), request).then(
        () => null,
        (error) => error.name,
      );
      return { name, milliseconds: performance.now() - cancelled };
    }, cat);
    expect(name).toBe('AbortError');
    // The limit allows 100 ms for the computing thread, and some time for other work in the page
    // and the worker.
    expect(milliseconds).toBeLessThan(patience(0.15) * 1000);
    const image = picture(6, 150);
    const outcome = succeeded(await upscale(page, await encode(image)));
    expectSamePicture(await decode(outcome.file), await expected(MODEL, image));
  });

  it('twenty pictures leave no memory behind', async () => {
    const session = await browser.newBrowserCDPSession();
    const megabytes = async () => {
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      const renderers = processInfo.filter(({ type }) => type === 'renderer');
      const pages = renderers.map(async ({ id }) => {
        const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
        return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
      });
      return (await Promise.all(pages)).reduce((sum, size) => sum + size, 0);
    };
    const file = await encode(picture(40, 150));
    const run = async (count: number) => {
      for (let i = 0; i < count; i++) succeeded(await upscale(page, file));
      return megabytes();
    };
    const before = await run(5);
    const after = await run(20);
    console.info(`memory of the pages: ${before.toFixed(0)} MB, later ${after.toFixed(0)} MB`);
    expect(before).toBeGreaterThan(20);
    // If every job leaked one picture's maps, memory would grow by 20 times 10 MB.
    expect(after - before).toBeLessThan(60);
  });
});

it('the page starts threads for a worker that cannot', async () => {
  const page = await browser.newPage();
  await page.goto(`${plain.url}bare?backend=auto`);
  await page.waitForFunction(() => window.crispen !== undefined);
  const made = await page.evaluate(
    async ([bytes, script]) => {
      const { crispen } = window;
      const worker = () => {
        const text = `import ${JSON.stringify(script)}`;
        const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
        const made = new Worker(address, { type: 'module' });
        // The URL is revoked, so the worker cannot use its own address to start threads.
        made.addEventListener('message', () => URL.revokeObjectURL(address), { once: true });
        return made;
      };
      const upscaler = crispen.createUpscaler({ worker, threads: 2 });
      const outcome = await crispen.attempt(upscaler, crispen.bytes(bytes));
      upscaler.destroy();
      return outcome;
    },
    [await encode(picture(6, 150)), `${plain.url}src/worker/worker.ts`] as const,
  );
  expect(succeeded(made).diagnostics).toMatchObject({ threads: 2, tiles: 2 });
  await page.close();
});

it('asks before a job of more than a minute, and only then', async () => {
  const page = await openPage(plain, { threads: 1 });
  const asked = await page.evaluate(
    async (bytes) => {
      const { crispen, upscaler } = window;
      const times: number[] = [];
      const confirm = (milliseconds: number) => {
        times.push(milliseconds);
        return false;
      };
      const canvas = new OffscreenCanvas(3000, 2000);
      canvas.getContext('2d');
      const large = await canvas.convertToBlob();
      const code = async (source: Blob) =>
        (await crispen.attempt(upscaler, source, { confirm })).code;
      const codes = [await code(large), await code(crispen.bytes(bytes))];
      return { codes, times };
    },
    await encode(picture(8, 8)),
  );
  expect(asked.codes).toEqual(['ABORTED', null]);
  expect(asked.times).toHaveLength(1);
  expect(asked.times[0]).toBeGreaterThan(60_000);
  await page.close();
});

it('nothing of it is loaded where a GPU does the work', async () => {
  const software = await launch({ webgpu: true });
  try {
    const context = await software.newContext();
    const loaded: string[] = [];
    context.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    const ofCpu = () =>
      loaded.filter((path) => /^\/src\/(cpu\/|worker\/(cpu|threads)\.)/.test(path));
    const file = await encode(picture(6, 5));
    for (const backend of ['webgpu', 'cpu'] as const) {
      const page = await context.newPage();
      await page.goto(`${plain.url}bare?backend=${backend}`);
      await page.waitForFunction(() => window.crispen !== undefined);
      await page.evaluate(() => {
        window.upscaler = window.crispen.createUpscaler();
      });
      expect(succeeded(await upscale(page, file)).backend).toBe(backend);
      // The list includes the worker's own script, so it would also include any module that the
      // worker loads.
      expect(loaded).toContain('/src/worker/worker.ts');
      if (backend === 'webgpu') expect(ofCpu()).toEqual([]);
      else expect(ofCpu()).toContain('/src/cpu/model.ts');
      await page.close();
    }
  } finally {
    await software.close();
  }
});

it('a software adapter is left alone, unless it is asked for', async () => {
  const software = await launch({ webgpu: true });
  try {
    const page = await software.newPage();
    await page.goto(`${plain.url}bare`);
    await page.waitForFunction(() => window.crispen !== undefined);
    const found = await page.evaluate(async () => {
      const { backend, adapter, reason } = await window.crispen
        .createUpscaler({ backend: 'auto' })
        .detect();
      return { backend, adapter, code: reason?.code, message: reason?.message, hint: reason?.hint };
    });
    expect(found).toMatchObject({ backend: 'cpu', adapter: null, code: 'NO_WEBGPU' });
    expect(found.message).toMatch(/software.*swiftshader/i);
    expect(found.hint).toContain("backend: 'webgpu'");
  } finally {
    await software.close();
  }
});
