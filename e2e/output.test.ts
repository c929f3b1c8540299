/** Tests how results are saved: quality with live sizes, the last used format, and file names. */
import type { Browser } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launch } from './browser.ts';
import { downloadBy, dropOn, fileAt, openDemo, status } from './demo-page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: false });
});
afterAll(() => browser.close());

it('shows the size by quality before saving, saves with it, and remembers how', async () => {
  const { page, close } = await openDemo(browser);
  await dropOn(page, await fileAt('public/samples/astronaut.jpg'));
  await status(page, /^Done/);
  const size = async (format: string) => {
    const text = page.locator(`#bytes-${format}`).filter({ hasText: / [KM]B$/ });
    await text.waitFor();
    return Number.parseFloat((await text.textContent()) ?? '') * 1000;
  };
  expect(await size('png')).toBeGreaterThan(50_000);
  const at = async (quality: number) => {
    await page.getByTestId('quality').fill(String(quality));
    const shown = await size('jpeg');
    const { bytes, name } = await downloadBy(page, 'download-jpeg');
    expect(name).toBe('astronaut@2x.jpg');
    expect(Math.abs(bytes.length - shown)).toBeLessThanOrEqual(500);
    return bytes.length;
  };
  const [small, large] = [await at(40), await at(95)];
  expect(large).toBeGreaterThan(2 * small);

  // For a result of 420 x 420 pixels, the page measures the size of the whole file.
  await page.getByTestId('quality').fill('60');
  const avif = await size('avif');
  const saved = (await downloadBy(page, 'download-avif')).bytes.length;
  expect(Math.abs(saved - avif)).toBeLessThanOrEqual(500);
  await page.getByTestId('quality').fill('95');

  await page.getByTestId('name-pattern').fill('{name} {model} {width}x{height}');
  expect((await downloadBy(page, 'download-webp')).name).toBe('astronaut Photo 420x420.webp');
  await page.reload();
  await status(page, /^Done/);
  expect(await page.getByTestId('quality').inputValue()).toBe('95');
  expect(await page.getByTestId('download-webp').getAttribute('class')).toContain('primary');
  expect(await page.locator('#queue-format').inputValue()).toBe('webp');
  expect((await downloadBy(page, 'download-webp')).name).toBe('astronaut Photo 420x420.webp');
  await close();
});

it('weighs AVIF of a large result by its middle, and only at the last quality', async () => {
  const { page, close } = await openDemo(browser);
  const photo = await sharp('public/samples/coffee.jpg').resize(1200).png().toBuffer();
  await dropOn(page, { name: 'large.png', bytes: photo });
  await page.getByTestId('run-lanczos').click();
  await status(page, /^Done/);
  const quality = page.getByTestId('quality');
  await quality.fill('90');
  await page.waitForTimeout(450);
  await quality.fill('50');
  const shown = page.locator('#bytes-avif').filter({ hasText: /^≈ \d.* [KM]B$/ });
  await shown.waitFor({ timeout: 60_000 });
  const text = (await shown.textContent()) ?? '';
  const about = Number.parseFloat(text.slice(2)) * (text.endsWith('MB') ? 1e6 : 1e3);
  const { bytes } = await downloadBy(page, 'download-avif');
  expect(about / bytes.length).toBeGreaterThan(0.7);
  expect(about / bytes.length).toBeLessThan(1.4);
  await close();
});

it('shows what is stored, and deletes downloaded models', async () => {
  const { page, close } = await openDemo(browser);
  await dropOn(page, await fileAt('e2e/images/chelsea-24x20.png'));
  await status(page, /^Done/);
  const weights = () => page.evaluate(() => caches.has('crispen-weights'));
  expect(await weights()).toBe(true);
  await page.locator('#kept summary').click();
  await page
    .getByTestId('kept-size')
    .filter({ hasText: /uses \d.* [KM]B of/ })
    .waitFor();
  await page.getByTestId('forget-weights').click();
  await expect.poll(weights).toBe(false);
  // Models are downloaded again when they are needed.
  await page.reload();
  await dropOn(page, await fileAt('e2e/images/coffee-40x40.jpg'));
  await page.getByTestId('queue-status').filter({ hasText: '2 of 2 done' }).waitFor();
  expect(await weights()).toBe(true);
  await close();
});
