/** Tests comparing a result with a reference, and showing differences. */
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareLuma } from '../src/metrics/index.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, openDemo, status } from './demo-page.ts';
import { decode, encode } from './oracle.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: false });
});
afterAll(() => browser.close());

/** Returns the colour in the middle of the left side of the comparison. */
const leftColour = (page: Page) =>
  page.locator('#canvas').evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const { width, height } = canvas;
    const context = canvas.getContext('2d')!;
    return [...context.getImageData(Math.round(width * 0.4), Math.round(height / 2), 1, 1).data];
  });

it('measures a result against a reference that is picked or dropped', async () => {
  const { page, close } = await openDemo(browser);
  await dropOn(page, { name: 'a.png', bytes: await encode(picture(24, 20)) });
  await status(page, /^Done/);
  const result = await decode((await downloadBy(page, 'download-png')).bytes);
  const noisy = { ...result, data: result.data.map((v, i) => (i % 4 === 3 ? v : v ^ (i % 7))) };
  const reference = {
    name: 'true.png',
    mimeType: 'image/png',
    buffer: Buffer.from(await encode(noisy)),
  };
  await page.getByTestId('reference-file').setInputFiles(reference);
  const { psnr, ssim } = compareLuma(result, noisy, 2);
  await page
    .getByTestId('measured')
    .filter({ hasText: `PSNR ${psnr.toFixed(2)} dB, SSIM ${ssim.toFixed(4)}` })
    .waitFor();
  expect(await page.locator('#tag-before').textContent()).toBe('Reference');

  // The result itself is dropped on the target for references, so the comparison finds no
  // difference.
  const same = await encode(result);
  await page.evaluate((bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(bytes)], 'same.png', { type: 'image/png' }));
    const send = (type: string, at: { clientX: number; clientY: number }) =>
      document.body.dispatchEvent(
        new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer, ...at }),
      );
    send('dragenter', { clientX: 5, clientY: 5 });
    const { left, right, top, bottom } = document
      .getElementById('as-reference')!
      .getBoundingClientRect();
    send('drop', { clientX: (left + right) / 2, clientY: (top + bottom) / 2 });
  }, same);
  await page.getByTestId('measured').filter({ hasText: 'PSNR ∞ dB, SSIM 1.0000' }).waitFor();
  expect(await page.getByTestId('strip-list').locator('li').count()).toBe(0);

  const small = Buffer.from(await encode(picture(20, 20)));
  await page.getByTestId('reference-file').setInputFiles({ ...reference, buffer: small });
  await page
    .getByTestId('error')
    .filter({ hasText: '20 × 20 pixels, the result 48 × 40' })
    .waitFor();
  await page.getByTestId('before-mode').selectOption('browser');
  expect(await page.getByTestId('measured').isVisible()).toBe(false);
  await close();
});

it('shows a plain picture without any difference in black, and others not', async () => {
  const { page, close } = await openDemo(browser);
  const plain = await sharp({
    create: { width: 24, height: 20, channels: 3, background: '#808080' },
  })
    .png()
    .toBuffer();
  await dropOn(page, { name: 'plain.png', bytes: plain });
  await status(page, /^Done/);
  await expect.poll(() => leftColour(page)).toEqual([128, 128, 128, 255]);
  await page.getByTestId('before-mode').selectOption('difference');
  // A network changes plain grey by a level or two, and the page amplifies the difference by four.
  await expect.poll(async () => Math.max(...(await leftColour(page)).slice(0, 3))).toBeLessThan(24);
  expect(await page.locator('#tag-before').textContent()).toBe('Difference ×4');
  await close();
});
