/** Checks every pixel that the two sides of the comparison show. */
import type { Browser, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Rgba8Image } from '../src/image/image.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, openDemo, status } from './demo-page.ts';
import { decode, encode, expectSamePicture, resized } from './oracle.ts';

const SOURCE = picture(60, 40);

let browser: Browser;
let page: Page;
let close: () => Promise<void>;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());
beforeEach(async () => {
  ({ page, close } = await openDemo(browser));
  await dropOn(page, { name: 'a.png', bytes: await encode(SOURCE) });
  await status(page, /^Done/);
});
afterEach(() => close());

const mode = (value: string) => page.getByTestId('before-mode').selectOption(value);
const tags = () => page.locator('.tag').allTextContents();
const divider = () => page.locator('#divider');

/**
 * Returns the part of the canvas that shows the picture, in device pixels, after it stays unchanged
 * for two frames.
 */
async function shown(): Promise<Rgba8Image> {
  const { width, height, data } = await page.evaluate(async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    const stage = document.getElementById('compare')!;
    const length = (name: string) => Number.parseFloat(stage.style.getPropertyValue(name));
    const canvas = document.getElementById('canvas') as HTMLCanvasElement;
    const left = Math.round(length('--left'));
    const width = Math.round(stage.clientWidth - length('--right') - length('--left'));
    const [top, height] = [Math.round(length('--top')), Math.round(length('--height'))];
    const image = canvas.getContext('2d')!.getImageData(left, top, width, height);
    return { width, height, data: [...image.data] };
  });
  return { width, height, data: Uint8ClampedArray.from(data) };
}

/** Encodes a picture with the browser's encoder, at the default quality. */
function encodedByBrowser({ width, height, data }: Rgba8Image, format: string): Promise<number[]> {
  const picture = { width, height, data: [...data], type: `image/${format}`, quality: 0.92 };
  return page.evaluate(async ({ width, height, data, type, quality }) => {
    const canvas = new OffscreenCanvas(width, height);
    const pixels = new ImageData(Uint8ClampedArray.from(data), width, height);
    canvas.getContext('2d')!.putImageData(pixels, 0, 0);
    const file = await canvas.convertToBlob({ type, quality });
    return [...new Uint8Array(await file.arrayBuffer())];
  }, picture);
}

/** Returns the largest difference between two images. */
const worst = (a: Rgba8Image, b: Rgba8Image): number =>
  a.data.length === b.data.length
    ? a.data.reduce((most, v, i) => Math.max(most, Math.abs(v - b.data[i])), 0)
    : Number.POSITIVE_INFINITY;

/** Enlarges each pixel to a square of `factor` by `factor` pixels. */
function magnified({ width, height, data }: Rgba8Image, factor: number): Rgba8Image {
  const [w, h] = [width * factor, height * factor];
  const out = new Uint8ClampedArray(w * h * 4);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const from = (Math.floor(y / factor) * width + Math.floor(x / factor)) * 4;
      out.set(data.subarray(from, from + 4), (y * w + x) * 4);
    }
  }
  return { width: w, height: h, data: out };
}

it('before as pixels, by Lanczos, as the browser does; after as pixels beyond 200 %', async () => {
  const result = await decode((await downloadBy(page, 'download-png')).bytes);
  await divider().press('Home');
  await page.locator('#zoom-full').click();
  expectSamePicture(await shown(), result);
  // At 338 %, which exceeds 200 %, the page shows the result's pixels without blur.
  for (let i = 0; i < 3; i++) await page.keyboard.press('+');
  const close = await shown();
  const colours = new Set<number>();
  const values = (image: Rgba8Image) => new Uint32Array(image.data.buffer);
  for (const colour of values(result)) colours.add(colour);
  expect(values(close).filter((colour) => !colours.has(colour))).toHaveLength(0);

  await page.keyboard.press('1');
  await divider().press('End');
  const smooth = await shown();
  await mode('pixels');
  expect(await tags()).toEqual(['Original, pixels', 'Crispen on CPU 2×']);
  expectSamePicture(await shown(), magnified(SOURCE, 2));
  await mode('lanczos');
  await expect.poll(tags).toEqual(['Lanczos 2×', 'Crispen on CPU 2×']);
  expectSamePicture(await shown(), await resized(SOURCE, 120, 80));
  await mode('browser');
  expect(await tags()).toEqual(['Original', 'Crispen on CPU 2×']);
  expect((await shown()).data).toEqual(smooth.data);
});

it('Space shows the original, keys zoom and a double click centres, wherever the focus is', async () => {
  const result = await decode((await downloadBy(page, 'download-png')).bytes);
  await mode('pixels');
  // The list and a selected radio button keep the focus, but neither handles these keys.
  await page.getByRole('radio', { name: '2×' }).focus();
  await page.keyboard.press('1');
  await expect.poll(() => page.locator('#zoom-full').textContent()).toBe('100 %');
  await divider().press('Home');
  await page.getByRole('radio', { name: '2×' }).focus();
  await page.keyboard.down(' ');
  expectSamePicture(await shown(), magnified(SOURCE, 2));
  await page.keyboard.up(' ');
  expectSamePicture(await shown(), result);
  await page.keyboard.press('0');
  await expect.poll(() => page.locator('#zoom-fit').getAttribute('aria-pressed')).toBe('true');
  await divider().dblclick();
  await expect.poll(() => divider().getAttribute('aria-valuenow')).toBe('50');
  // A control that uses Space itself still receives it.
  await page.locator('#pin').focus();
  await page.keyboard.press(' ');
  await expect.poll(() => page.locator('#pin').getAttribute('aria-pressed')).toBe('true');
});

it('is blended with a plain resize, on the stage and in every file', async () => {
  const result = await decode((await downloadBy(page, 'download-png')).bytes);
  const plain = await resized(SOURCE, 120, 80);
  await divider().press('Home');
  await page.locator('#zoom-full').click();
  for (const percent of [0, 40, 100]) {
    await page.getByTestId('strength').fill(String(percent));
    const wanted = result.data.map((v, i) => (v * percent + plain.data[i] * (100 - percent)) / 100);
    const mixed = { ...result, data: Uint8ClampedArray.from(wanted) };
    await expect.poll(async () => worst(await shown(), mixed)).toBeLessThanOrEqual(1);
    const saved = await decode((await downloadBy(page, 'download-png')).bytes);
    expect(worst(saved, mixed)).toBeLessThanOrEqual(percent === 100 ? 0 : 1);
    // Every pixel of a lossy file equals the browser encoder's output for the same picture.
    for (const format of ['jpeg', 'webp']) {
      const lossy = await decode((await downloadBy(page, `download-${format}`)).bytes);
      expect(worst(lossy, await decode(await encodedByBrowser(saved, format)))).toBe(0);
      expect(worst(lossy, saved)).toBeGreaterThan(0);
    }
    if (percent > 0) continue;
    // At strength 0, nothing of the network's result remains. Every pixel of the file equals the
    // picture that the page shows to the left of the divider.
    await mode('lanczos');
    await divider().press('End');
    await expect.poll(async () => worst(await shown(), saved)).toBe(0);
    await mode('browser');
    await divider().press('Home');
  }
});

it('a pinned result is compared with that of another model, and of another scale', async () => {
  const photo = await decode((await downloadBy(page, 'download-png')).bytes);
  await page.getByTestId('pin').click();
  await page.getByRole('radio', { name: /^Clean\b(?! \()/ }).check();
  await expect.poll(tags).toEqual(['Photo 2×', 'Clean 2×']);
  await status(page, /^Done/);
  await divider().press('End');
  await page.keyboard.press('1');
  expectSamePicture(await shown(), photo);
  await expect
    .poll(() => divider().getAttribute('aria-valuetext'))
    .toBe('100 % Photo 2×, 0 % enlarged');
  await page.getByRole('radio', { name: '4×' }).check();
  await expect.poll(tags).toEqual(['Photo 2×', 'Clean 4×']);
  await page.getByTestId('pin').click();
  await expect.poll(tags).toEqual(['Original', 'Crispen on CPU 4×']);
});
