import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CpuModel } from '../src/cpu/model.ts';
import { upscale as upscaleInWasm } from '../src/cpu/upscale.ts';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import { detect, recognise } from '../src/networks/detect.ts';
import { chooseModel } from '../src/node/model.ts';
import { readWeights } from '../src/weights/read.ts';
import { patience } from '../test/patience.ts';
import { launch } from './browser.ts';
import { decode, expected, expectSamePicture } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

const PHOTO = 'e2e/images/chelsea-24x20.png';
/** A picture of 300 x 200 pixels. */
const CAT = 'public/samples/cat.jpg';
/** Tiny networks are used, because the software adapter is slow. */
const X2 = 'test/checkpoints/compact_x2_params_views_zip.pth';
const X3 = 'test/checkpoints/compact_x3_params_bf16_zip.pth';
const X1 = 'test/checkpoints/compact_x1_plain_half_zip.pth';

let site: Served;
let browser: Browser;
let page: Page;
let requested: string[];
let complaints: string[];

async function open(script?: string, context: Parameters<Browser['newPage']>[0] = {}, query = '') {
  page = await browser.newPage({ viewport: { width: 800, height: 600 }, ...context });
  [requested, complaints] = [[], []];
  page.on('request', (request) => requested.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  if (script) await page.addInitScript(script);
  await page.goto(`${site.url}element${query}`);
  await page.waitForFunction(() => window.element !== undefined);
}

async function close() {
  await page.close();
  const local = new RegExp(`^(data:|blob:|${site.url})`);
  expect(requested.filter((url) => !local.test(url))).toEqual([]);
  expect(complaints).toEqual([]);
}

const add = (id: string, attributes: Record<string, string>, image?: Record<string, string>) =>
  page.evaluate((args) => window.element.add(...args), [id, attributes, image] as const);
const states = () => page.evaluate(() => window.element.states());
const log = () => page.evaluate(() => window.element.log);
const until = (id: string, state: string) =>
  page.waitForFunction(([a, b]) => window.element.get(a).state === b, [id, state] as const);
const settle = () =>
  page.waitForFunction(
    () => !Object.values(window.element.states()).some((s) => s === 'waiting' || s === 'working'),
  );
const picture = async (id: string) =>
  decode(await page.evaluate((name) => window.element.bytes(name), id));
const devices = () =>
  page
    .workers()[0]
    .evaluate(() => (globalThis as unknown as { counts: { devices: number } }).counts.devices);

async function oracle(checkpoint: string) {
  const { tensors } = await readWeights(await readFile(checkpoint), recognise);
  const { network, weights } = detect(tensors);
  return (await upscaleOnCpu(network, weights, await decode(await readFile(PHOTO)))).image;
}

/** The attributes of an element that shows an image of 24 x 20 pixels at three times its size. */
const base = { src: `/${PHOTO}`, model: `/${X2}`, width: '72', height: '60', alt: 'A cat' };

beforeAll(async () => {
  site = await serveSources();
});
afterAll(() => site.close());

describe('the element', () => {
  beforeAll(async () => {
    browser = await launch({ webgpu: true });
  });
  afterAll(() => browser.close());
  beforeEach(() => open());
  afterEach(close);

  it('serves what is visible of thirty, by one worker and device, and frees all of it', async () => {
    const session = await page.context().newCDPSession(page);
    const heap = async () => {
      await session.send('HeapProfiler.collectGarbage');
      return (await session.send('Runtime.getHeapUsage')).usedSize;
    };
    await page.evaluate(() => {
      window.element.CrispenImage.idleMs = 500;
      document.body.style.width = '300px';
    });
    const before = await heap();
    for (let i = 0; i < 30; i++) {
      const src = `/${PHOTO}?${i}`;
      const size = { width: '240', height: '200' };
      // Half of the elements contain an image. The other elements use `src`.
      if (i % 2) await add(`e${i}`, { model: base.model }, { src, alt: `Cat ${i}`, ...size });
      else await add(`e${i}`, { ...base, src, ...size });
    }
    const visible = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('crispen-image')]
          .filter((e) => {
            const { top, bottom } = e.getBoundingClientRect();
            return bottom > 0 && top < innerHeight;
          })
          .map((e) => e.id),
      );
    const done = async () =>
      Object.entries(await states())
        .filter(([, state]) => state === 'done')
        .map(([id]) => id);
    await until('e2', 'done');
    await settle();
    const first = await visible();
    expect(first.length).toBeLessThan(5);
    expect(await done()).toEqual(first);

    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await until('e29', 'done');
    await settle();
    const last = await visible();
    expect(last).toContain('e29');
    expect(await done()).toEqual([...first, ...last]);
    expect((await log()).filter((line) => line.endsWith(' load')).length).toBe(
      first.length + last.length,
    );
    expect(page.workers()).toHaveLength(1);
    expect(await page.evaluate(() => window.element.workers())).toBe(1);
    expect(await devices()).toBe(1);
    expect(await page.evaluate(() => window.element.shift())).toBe(0);
    expectSamePicture(await picture('e0'), await oracle(X2));
    expectSamePicture(await picture('e29'), await oracle(X2));

    await page.evaluate(() => document.body.replaceChildren());
    await expect.poll(() => page.workers().length, { timeout: 20_000 }).toBe(0);
    expect(await page.evaluate(() => document.querySelectorAll('canvas').length)).toBe(0);
    // Modules that were loaded in the meantime stay in memory. Images, canvases and elements must
    // not.
    expect((await heap()) - before).toBeLessThan(1.5e6);
    expect((await log()).filter((line) => /error|abort/.test(line))).toEqual([]);
  });

  it('serves what comes into view before what waited longer', async () => {
    // This run takes so long that the other runs must wait in the queue.
    await add('first', { ...base, model: 'a2n-photo-x2', 'base-url': '/public/models/' });
    await add('spacer', { height: '2000', width: '1', style: 'display: block' });
    await page.waitForFunction(() => window.element.states().first === 'working');
    await add('below', { ...base, 'base-url': '/public/models/', loading: 'eager' });
    await add('lazy', { ...base, src: `/${PHOTO}?lazy` });
    await until('below', 'waiting');
    const style = 'position: fixed; top: 100px; left: 100px';
    await add('seen', { ...base, 'base-url': '/public/models/', style });
    await until('below', 'done');
    const loads = (await log()).filter((line) => line.endsWith(' load'));
    expect(loads).toEqual(['first load', 'seen load', 'below load']);
    expect((await states()).lazy).toBe('idle');
  });

  it('restarts cleanly when attributes change in the middle of a run', async () => {
    await add('e', { ...base, model: 'a2n-photo-x2', 'base-url': '/public/models/' });
    await page.waitForFunction(() => window.element.states().e === 'working');
    await page.evaluate(() => {
      const element = window.element.get('e');
      element.src = `${element.src}?other`;
      element.model = '/test/checkpoints/compact_x3_params_bf16_zip.pth';
    });
    await until('e', 'done');
    expect(await log()).toEqual(['e abort', 'e modelload', 'e load']);
    expect(await page.evaluate(() => window.element.get('e').result)).toMatchObject({
      width: 72,
      height: 60,
      backend: 'webgpu',
      diagnostics: { tiles: 1 },
    });
    expectSamePicture(await picture('e'), await oracle(X3));
    // The same happens if the model changes after the element is done.
    await page.evaluate((model) => {
      window.element.get('e').model = model;
    }, base.model);
    await expect.poll(log).toHaveLength(5);
    expect((await log()).slice(3)).toEqual(['e modelload', 'e load']);
    expectSamePicture(await picture('e'), await oracle(X2));
  });

  it('stops when it is removed, and starts again when it is back', async () => {
    await add('e', { ...base, model: 'a2n-photo-x2', 'base-url': '/public/models/' });
    await page.waitForFunction(() => window.element.states().e === 'working');
    await page.evaluate(() => {
      const element = window.element.get('e');
      document.body.append(element); // moves the element, without removing it
      Object.assign(window, { kept: element });
    });
    expect(await log()).toEqual([]);
    await page.evaluate(() => window.element.get('e').remove());
    expect(await log()).toContain('e abort');
    await page.evaluate(() => {
      const { kept } = window as unknown as { kept: HTMLElement };
      document.body.append(kept);
    });
    await until('e', 'done');
    const photo = await decode(await readFile(PHOTO));
    expectSamePicture(await picture('e'), await expected('a2n-photo-x2', photo));
  });

  it('uses two models on one page', async () => {
    await add('two', base);
    await add('three', { ...base, model: `/${X3}` });
    await until('two', 'done');
    await until('three', 'done');
    expectSamePicture(await picture('two'), await oracle(X2));
    expectSamePicture(await picture('three'), await oracle(X3));
    expect(page.workers()).toHaveLength(1);
    expect(await devices()).toBe(1);
  });

  it('leaves alone what the screen could not show better, until it could', async () => {
    await add('e', { ...base, width: '24', height: '20' });
    await until('e', 'skipped');
    expect(await page.evaluate(() => window.element.get('e').skipped)).toBe('unneeded');
    await add('large', { ...base, 'max-pixels': '1900' });
    await until('large', 'skipped');
    expect(await page.evaluate(() => window.element.get('large').skipped)).toBe('too-large');
    await add('drawing', { ...base, src: '/public/icon.svg' });
    await until('drawing', 'skipped');
    expect(page.workers()).toHaveLength(0);
    await page.evaluate(() => {
      window.element.get('e').width = 48;
    });
    await until('e', 'done');
    expect(await page.evaluate(() => window.element.get('e').skipped)).toBeNull();
  });

  it('makes a file on demand, whatever the layout shows', async () => {
    await add('e', { ...base, width: '24', height: '20' });
    await until('e', 'skipped');
    expectSamePicture(await picture('e'), await oracle(X2));
    await add('none', {});
    const code = await page.evaluate(() =>
      window.element
        .get('none')
        .toBlob()
        .catch((error: { code: string }) => error.code),
    );
    expect(code).toBe('DECODE_FAILED');
  });

  it('keeps profile and 16 bits in a file, which a canvas cannot', async () => {
    const samples = Uint16Array.from({ length: 12 * 10 * 3 }, (_, i) => 300 + 173 * i);
    const file = await sharp(samples, { raw: { width: 12, height: 10, channels: 3 } })
      .toColourspace('rgb16')
      .withIccProfile('p3')
      .png()
      .toBuffer();
    await page.route('**/p3.png', (route) =>
      route.fulfill({ body: file, contentType: 'image/png' }),
    );
    await add('p3', { ...base, src: '/p3.png' });
    const made = Buffer.from(await page.evaluate((name) => window.element.bytes(name), 'p3'));
    const { icc } = await sharp(file).metadata();
    const found = await sharp(made).metadata();
    expect([found.width, found.height, found.depth]).toEqual([24, 20, 'ushort']);
    expect(found.icc!.equals(icc!)).toBe(true);
  });

  it('says what went wrong and shows the original', async () => {
    await add('missing', { ...base, src: '/e2e/images/missing.png' });
    await until('missing', 'failed');
    await add('unknown', { ...base, model: 'a3n-x2' });
    await until('unknown', 'failed');
    await add('task', { src: base.src, width: '72', task: 'guess' });
    await until('task', 'failed');
    await page.route('**/missing.pth', (route) => route.fulfill({ status: 404 }));
    await add('model', { ...base, model: '/e2e/images/missing.pth' });
    await until('model', 'failed');
    expect(await log()).toEqual([
      'missing error FETCH_FAILED',
      'unknown error MODEL_UNKNOWN',
      'task error INVALID_INPUT',
      'model error FETCH_FAILED',
    ]);
    // Correcting the wrong attribute is enough to recover.
    await page.evaluate(
      (model) => window.element.get('unknown').setAttribute('model', model),
      base.model,
    );
    await until('unknown', 'done');
  });

  it('compares by pointer and keyboard', async () => {
    await add('e', { ...base, compare: '', width: '200', height: '166' });
    await until('e', 'done');
    const divider = page
      .locator('#e')
      .getByRole('slider', { name: 'Original and enlarged: A cat' });
    expect(await divider.getAttribute('aria-valuenow')).toBe('50');
    await divider.press('ArrowRight');
    await divider.press('PageUp');
    expect(await divider.getAttribute('aria-valuenow')).toBe('61');
    await divider.press('Home');
    expect(await divider.getAttribute('aria-valuetext')).toBe('0 % original, 100 % enlarged');
    const box = (await page.locator('#e').boundingBox())!;
    await page.mouse.move(box.x + 150, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + 40, box.y + 50, { steps: 3 });
    await page.mouse.up();
    await page.mouse.move(box.x + 190, box.y + 50);
    expect(await divider.getAttribute('aria-valuenow')).toBe('20');
    await page.evaluate(() => window.element.get('e').toggleAttribute('compare'));
    await divider.waitFor({ state: 'hidden' });
  });

  it('takes the place of the image exactly', async () => {
    await add(
      'e',
      { model: base.model },
      { src: base.src, width: '72', style: 'margin: 7px; border: 3px solid' },
    );
    await until('e', 'done');
    const [image, result] = await page.evaluate(() => {
      const host = window.element.get('e');
      const boxes = [host.querySelector('img'), host.shadowRoot?.querySelector('canvas')];
      return boxes.map((element) => element?.getBoundingClientRect().toJSON());
    });
    expect(result).toMatchObject({ x: image.x + 3, y: image.y + 3, width: 72, height: 60 });
  });

  it('restores at the own size of a picture, and enlarges where a scale is given', async () => {
    const size = { width: '24', height: '20' };
    await add('e', { ...base, ...size, task: 'denoise', model: `/${X1}`, compare: '' });
    await until('e', 'done');
    const facts = () =>
      page.evaluate(() => {
        const element = window.element.get('e');
        const { task, scale, result } = element;
        const divider = element.shadowRoot?.querySelector('[role=slider]');
        const words = [divider?.getAttribute('aria-label'), divider?.ariaValueText];
        return { task, scale, width: result?.width, networkScale: result?.networkScale, words };
      });
    expect(await facts()).toEqual({
      task: 'denoise',
      scale: 1,
      width: 24,
      networkScale: 1,
      words: ['Original and cleaned up: A cat', '50 % original, 50 % cleaned up'],
    });
    expectSamePicture(await picture('e'), await oracle(X1));
    await page.evaluate(() => {
      Object.assign(window.element.get('e'), { task: 'dejpeg', scale: 3, width: 72, height: 60 });
    });
    await page.waitForFunction(() => window.element.get('e').result?.width === 72);
    expect(await facts()).toMatchObject({ task: 'dejpeg', scale: 3, networkScale: 3 });
    expect(await page.evaluate(() => window.element.get('e').getAttribute('task'))).toBe('dejpeg');
  });

  it.each([
    { task: 'sharpen', model: '' },
    { task: 'denoise', model: 'a2n-x2' },
    { task: 'dejpeg', model: `/${X2}` },
    { scale: 'abc', model: '' },
    { scale: 'abc', model: `/${X2}` },
    { scale: '0', model: '' },
  ])('says what cannot be: %o', async (wrong) => {
    await add('e', { ...base, ...wrong });
    await until('e', 'failed');
    const [line] = (await log()).slice(-1);
    expect(line).toMatch(/^e error (INVALID_INPUT|MODEL_UNSUPPORTED)$/);
  });

  it('heeds the wish to save data', async () => {
    await page.close();
    await open("Object.defineProperty(navigator, 'connection', { value: { saveData: true } })");
    await add('lazy', base);
    await add('eager', { ...base, loading: 'eager' });
    await until('eager', 'done');
    expect(await page.evaluate(() => window.element.get('lazy').skipped)).toBe('save-data');
  });

  it('appears without a fade where motion is to be reduced', async () => {
    const animation = () =>
      page.evaluate(() => {
        const canvas = window.element.get('e').shadowRoot?.querySelector('canvas');
        return canvas && getComputedStyle(canvas).animationName;
      });
    await add('e', base);
    await until('e', 'done');
    expect(await animation()).toBe('appear');
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await animation()).toBe('none');
  });

  it('enlarges for a fine screen what fills a coarse one', async () => {
    await page.close();
    await open(undefined, { deviceScaleFactor: 2 });
    await add('e', { ...base, width: '24', height: '20' });
    await until('e', 'done');
  });
});

describe('the element without an adapter', () => {
  beforeAll(async () => {
    browser = await launch({ webgpu: false });
  });
  afterAll(() => browser.close());

  it('enlarges on the CPU', async () => {
    await open(undefined, {}, '?backend=auto');
    await add('e', base);
    await until('e', 'done');
    expect(await log()).toContain('e load');
    await close();
  });

  it('enlarges a photo of 300 x 200 in less than 20 s, right to the bit', async () => {
    await open(undefined, {}, '?backend=auto');
    const started = performance.now();
    await add('cat', { src: `/${CAT}`, scale: '2', width: '600', height: '400', alt: 'A cat' });
    await page.waitForFunction(() => window.element.get('cat').state === 'done');
    const seconds = (performance.now() - started) / 1000;
    console.info(`300 x 200 in the element without a GPU: ${seconds.toFixed(1)} s`);
    expect(seconds).toBeLessThan(patience(20));
    const { network, weights } = await chooseModel({ scale: 2 });
    const model = await CpuModel.load(network, weights);
    const { image } = await upscaleInWasm(model, await decode(await readFile(CAT)));
    expectSamePicture(await picture('cat'), image);
    await close();
  });

  it('leaves alone what would take more than a minute, once, unless somebody insists', async () => {
    await open(undefined, { deviceScaleFactor: 5 }, '?backend=auto');
    await page.evaluate(() => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [1800, 1500];
      canvas.getContext('2d')?.fillRect(9, 9, 900, 900);
      const { options } = window.element.CrispenImage;
      window.element.CrispenImage.options = { ...options, threads: 1 };
      window.element.add(
        'e',
        { width: '700', 'max-pixels': '100000000' },
        { src: canvas.toDataURL(), alt: 'Large' },
      );
    });
    await until('e', 'skipped');
    expect(await page.evaluate(() => window.element.get('e').skipped)).toBe('slow');
    await page.setViewportSize({ width: 700, height: 500 });
    await page.waitForTimeout(300);
    expect(await states()).toEqual({ e: 'skipped' });
    expect((await log()).filter((line) => /load$|error/.test(line))).toEqual(['e modelload']);
    await close();
  });

  it('stays an image and says why where the GPU was asked for', async () => {
    await open();
    await add('e', base);
    await until('e', 'failed');
    expect(await log()).toEqual(['e error NO_WEBGPU']);
    expect(await page.getByRole('img', { name: 'A cat' }).isVisible()).toBe(true);
    await close();
  });
});
