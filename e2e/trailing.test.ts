import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { another, everyFormat, TAILS } from '../test/trailing.ts';
import { launch } from './browser.ts';
import { type Served, serveSources } from './server.ts';

/**
 * Tests files with extra bytes after their end. Crispen must read the files that the browser itself
 * reads.
 */
let site: Served;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  site = await serveSources();
  browser = await launch({ webgpu: false });
  page = await browser.newPage();
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  await page.evaluate(() => {
    window.upscaler = window.crispen.createUpscaler();
  });
});

afterAll(async () => {
  await browser.close();
  await site.close();
});

/**
 * Returns the browser's own result and Crispen's result, each as a hash of the pixels or as an
 * error.
 */
const verdicts = (files: readonly Buffer[]) =>
  page.evaluate(
    async (addresses) => {
      const hash = async (bitmap: ImageBitmap) => {
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
        context.drawImage(bitmap, 0, 0);
        const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
        const digest = new Uint32Array(await crypto.subtle.digest('SHA-256', data));
        return `${bitmap.width} x ${bitmap.height}, ${digest.join(' ')}`;
      };
      const found: { browser: string; crispen: string }[] = [];
      for (const address of addresses) {
        const blob = await (await fetch(address)).blob();
        found.push({
          browser: await createImageBitmap(blob).then(hash, String),
          crispen: await window.upscaler
            .upscale(blob, { method: 'lanczos', scale: 1 })
            .then(({ image }) => hash(image as ImageBitmap), String),
        });
      }
      return found;
    },
    files.map((file) => `data:;base64,${file.toString('base64')}`),
  );

describe('behind the end of', async () => {
  const { 'plain.tiff': _, ...files } = await everyFormat();
  it.each(Object.entries(files))('%s', async (name, file) => {
    const other = await another(name);
    const tails = [...Object.values(TAILS), file, ...(other ? [other] : [])];
    const [whole, ...found] = await verdicts([
      file,
      ...tails.map((tail) => Buffer.concat([file, tail])),
    ]);
    expect(whole.crispen).toMatch(/^32 x 24/);
    expect(found).toEqual(tails.map(() => whole));
  });
});
