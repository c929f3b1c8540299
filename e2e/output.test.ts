/** How results are saved: quality with live sizes, the format of the last time, names. */
import type { Browser } from 'playwright';
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
  // They are loaded again when they are needed.
  await page.reload();
  await dropOn(page, await fileAt('e2e/images/coffee-40x40.jpg'));
  await page.getByTestId('queue-status').filter({ hasText: '2 of 2 done' }).waitFor();
  expect(await weights()).toBe(true);
  await close();
});
