/** Checks, with a trace, that the page's scripts cause no long task on the main thread. */
import type { Browser } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { launch } from './browser.ts';
import { downloadBy, dropOn, startWithPhoto, status } from './demo-page.ts';
import { tasksDuring } from './trace.ts';

/** Browsers call tasks that exceed this limit "long", and people notice them. */
const LIMIT_MS = 50;

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: false });
});
afterAll(() => browser.close());

it('from the first byte to the saved files, no task takes longer than 50 ms', async () => {
  const site = inject('siteUrl');
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  // With the best model, the page asks before it enlarges the large photo.
  await startWithPhoto(page);
  const photo = (width: number) =>
    sharp('public/samples/coffee.jpg').resize(width).jpeg().toBuffer();
  const [small, large] = [await photo(60), await photo(1500)];
  const tasks = await tasksDuring(browser, page, site, async () => {
    await page.goto(site);
    await status(page, /^Ready/);
    // A network enlarges a small picture, which is then saved in all formats.
    await dropOn(page, { name: 'small.jpg', bytes: small });
    await status(page, /^Done/);
    await page.getByTestId('quality').fill('70');
    await page
      .locator('#bytes-avif')
      .filter({ hasText: /[KM]B$/ })
      .waitFor();
    for (const format of ['png', 'jpeg', 'webp', 'avif']) {
      await downloadBy(page, `download-${format}`);
    }
    // A large result of six megapixels is shown, compared, zoomed, blended and cropped.
    await dropOn(page, { name: 'large.jpg', bytes: large });
    await page.getByTestId('run-lanczos').click();
    await page.locator('#fact-to').filter({ hasText: '3000 ×' }).waitFor();
    await status(page, /^Done/);
    for (const key of ['+', '+', '-', '0', '1']) await page.keyboard.press(key);
    await page.locator('#divider').focus();
    for (let i = 0; i < 5; i++) await page.keyboard.press('Shift+ArrowLeft');
    await page.getByTestId('before-mode').selectOption('difference');
    await page.getByTestId('before-mode').selectOption('pixels');
    await page.getByTestId('strength').fill('40');
    await downloadBy(page, 'download-jpeg');
    await page.getByTestId('crop').click();
    await page.getByTestId('crop-shape').selectOption('1:1');
    await page.keyboard.press('Escape');
  });
  const [{ cpuMs, scripts }] = tasks;
  console.log(`${tasks.length} tasks, at most ${cpuMs.toFixed(1)} ms: ${scripts.join(', ')}`);
  expect(tasks.length).toBeGreaterThan(50);
  expect(tasks.filter(({ cpuMs }) => cpuMs > LIMIT_MS)).toEqual([]);
  await page.close();
});

it('a task that is too long would be found', async () => {
  const site = inject('siteUrl');
  const page = await browser.newPage();
  // The test slows down one of the page's own scripts.
  await page.route('**/assets/docs-*.js', async (route) => {
    const response = await route.fetch();
    const busy = `setTimeout(function busy() {
      const end = performance.now() + 400;
      while (performance.now() < end);
    });`;
    await route.fulfill({ response, body: `${await response.text()}\n${busy}` });
  });
  const [longest] = await tasksDuring(browser, page, site, async () => {
    await page.goto(`${site}docs.html`);
    await page.waitForTimeout(1000);
  });
  expect(longest.cpuMs).toBeGreaterThan(LIMIT_MS);
  expect(longest.scripts[0]).toMatch(/^busy assets\/docs-/);
  await page.close();
});
