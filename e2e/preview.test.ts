import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import { detect, recognise } from '../src/networks/detect.ts';
import { readWeights } from '../src/weights/read.ts';
import { launch } from './browser.ts';
import { decode, encode, expectSamePicture } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

const PHOTO = 'e2e/images/chelsea-24x20.png';
const MODEL = 'test/checkpoints/compact_x2_params_views_zip.pth';

let browser: Browser;
let site: Served;
let page: Page;
/** All requests after the page has loaded, except for the library's own lazily loaded code. */
const sent: string[] = [];

beforeAll(async () => {
  browser = await launch({ webgpu: true });
  site = await serveSources();
  page = await browser.newPage();
  await page.goto(`${site.url}preview`);
  await page.waitForFunction(() => window.preview !== undefined);
  await page.evaluate(async (model) => {
    window.preview.attached = await window.preview.start(model);
  }, `/${MODEL}`);
  page.on('request', (request) => {
    const [url, method] = [request.url(), request.method()];
    if (/^(blob|data):/.test(url)) return;
    const code = new RegExp(`^${site.url}(src|node_modules)/[^?]*\\.(ts|js|mjs|wgsl)(\\?raw)?$`);
    if (method !== 'GET' || request.postData() !== null || !code.test(url)) {
      sent.push(`${method} ${url}`);
    }
  });
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

const logged = (line: string) =>
  page.waitForFunction((wanted) => window.preview.log.includes(wanted), line);
const file = async () =>
  decode(
    await page.evaluate(async () => [
      ...new Uint8Array(await (await window.preview.attached!.toBlob()).arrayBuffer()),
    ]),
  );

describe('a preview before upload', () => {
  it('is drawn within a frame or two, then enlarged, and nothing is sent', async () => {
    await page.locator('#file').setInputFiles(PHOTO);
    await logged('chelsea-24x20.png drawn');
    expect(await page.evaluate(() => window.preview.painted())).toBe(true);
    await logged('chelsea-24x20.png refined');
    // Decoding is asynchronous and can end one frame later.
    expect(await page.evaluate(() => window.preview.frames())).toBeLessThanOrEqual(2);
    const { tensors } = await readWeights(await readFile(MODEL), recognise);
    const { network, weights } = detect(tensors);
    const photo = await decode(await readFile(PHOTO));
    expectSamePicture(await file(), (await upscaleOnCpu(network, weights, photo)).image);
    expect(sent).toEqual([]);
  });

  it('is reduced where it is larger than its place', async () => {
    const data = new Uint8ClampedArray(300 * 200 * 4).fill(90);
    const buffer = Buffer.from(await encode({ width: 300, height: 200, data }));
    await page.locator('#file').setInputFiles({ name: 'large.png', mimeType: 'image/png', buffer });
    await logged('large.png refined');
    const { width, height } = await file();
    expect([width, height]).toEqual([96, 64]);
    expect(sent).toEqual([]);
  });

  it('says what is no picture, and goes on', async () => {
    const buffer = Buffer.from('Dear reader');
    await page.locator('#file').setInputFiles({ name: 'a.txt', mimeType: 'text/plain', buffer });
    await logged('a.txt DECODE_FAILED');
    await page.locator('#file').setInputFiles(PHOTO);
    await page.waitForFunction(() => window.preview.log.at(-1) === 'chelsea-24x20.png refined');
    await page.evaluate(() => window.preview.attached!.detach());
    const code = await page.evaluate(() =>
      window.preview.attached!.toBlob().catch((error: { code: string }) => error.code),
    );
    expect(code).toBe('INVALID_INPUT');
  });
});
