/**
 * Walks through the demo as a new visitor, in windows of four sizes and in both colour schemes.
 * Checks that axe finds nothing serious, that nothing is cut off, that the console stays empty, and
 * that nothing moves by itself. Other tests check each step in more detail.
 */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { picture } from '../test/pictures.ts';
import { violations } from './axe.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, openDemo, overflowing, queueStatus, status } from './demo-page.ts';
import { decode, encode } from './oracle.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

const SIZES = [
  [390, 844],
  [844, 390],
  [720, 450],
  [1440, 900],
] as const;

const png = async (name: string, width: number, height: number) => ({
  name,
  bytes: await encode(picture(width, height)),
});

/** Returns the total layout shift that no visitor action caused. */
const moved = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        new PerformanceObserver((list) => {
          const shifts = list.getEntries() as (PerformanceEntry & {
            readonly value: number;
            readonly hadRecentInput: boolean;
          })[];
          resolve(shifts.reduce((sum, s) => sum + (s.hadRecentInput ? 0 : s.value), 0));
        }).observe({ type: 'layout-shift', buffered: true });
        setTimeout(() => resolve(0), 300);
      }),
  );

/** Returns whether the comparison's controls overlap. */
const crossing = (page: Page) =>
  page.locator('.zoom').evaluateAll((all) => {
    const boxes = all.filter((box) => box.checkVisibility());
    const [a, b] = boxes.map((box) => box.getBoundingClientRect());
    return boxes.length === 2 && a.right > b.left && a.bottom > b.top;
  });

describe.each(
  SIZES.flatMap(([width, height]) =>
    (['light', 'dark'] as const).map((scheme) => [width, height, scheme] as const),
  ),
)('at %d x %d, %s', (width, height, colorScheme) => {
  it('every point can be reached, and none is cut off', async () => {
    const { page, close } = await openDemo(browser, {
      viewport: { width, height },
      colorScheme,
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    /**
     * Checks the requirements that every state must meet. Saves a screenshot if a folder is given.
     */
    const isSound = async (state: string) => {
      const folder = process.env.CRISPEN_SCREENSHOTS;
      if (folder) {
        await page.screenshot({ path: `${folder}/walk-${width}-${colorScheme}-${state}.png` });
      }
      expect([state, await overflowing(page)]).toEqual([state, []]);
      expect([state, await crossing(page)]).toEqual([state, false]);
      expect([state, await violations(page)]).toEqual([state, []]);
    };
    const stage = page.getByTestId('compare');
    const saved = async (format = 'png') =>
      decode((await downloadBy(page, `download-${format}`)).bytes);

    // Checks the welcome page.
    await status(page, /^Ready/);
    expect(await moved(page)).toBeLessThan(0.02);
    await isSound('welcome');

    // Adds a picture, compares it and saves its files.
    await dropOn(page, await png('a.png', 24, 20));
    await status(page, /^Done/);
    expect(await page.title()).toMatch(/Crispen/);
    for (const mode of ['pixels', 'lanczos', 'difference', 'browser']) {
      await page.getByTestId('before-mode').selectOption(mode);
    }
    await page.locator('#divider').dblclick();
    await page.getByTestId('pin').click();
    await page.keyboard.press('1');
    expect(await stage.isVisible()).toBe(true);
    const formats = ['png', 'jpeg', 'webp', 'avif'];
    for (const format of formats) expect((await saved(format)).width).toBe(48);
    await page.getByTestId('copy').click();
    await isSound('done');
    await page.getByTestId('pin').click();

    // Changes strength, quality, name and size. The chosen kind of picture must not change.
    await page.getByTestId('strength').fill('40');
    await page.getByTestId('strength').fill('100');
    await page.getByTestId('quality').fill('70');
    await page.getByTestId('name-pattern').fill('{name} {size}');
    const kind = () => page.getByTestId('model').locator('input:checked + b').textContent();
    const before = await kind();
    await page.getByRole('radio', { name: '3×' }).check();
    await page.locator('#fact-to', { hasText: '72 × 60' }).waitFor();
    await status(page, /^Done/);
    expect(await kind()).toBe(before);
    await page.getByTestId('other-size').selectOption('width');
    await page.getByTestId('own-size-value').fill('60');
    await page.getByRole('button', { name: 'Use it' }).click();
    await page.locator('#fact-to', { hasText: '60 × 50' }).waitFor();
    await status(page, /^Done/);
    await isSound('settings');

    // Selects a part of the picture and inspects its attention.
    await page.getByTestId('crop').click();
    await page.getByTestId('crop-shape').selectOption('1:1');
    await isSound('crop');
    await page.keyboard.press('Enter');
    await page.locator('#fact-from', { hasText: /^(\d+) × \1$/ }).waitFor();
    await status(page, /^Done/);
    await page.getByTestId('inspect').click();
    await page.getByTestId('inspector-canvas').waitFor();
    await isSound('inspector');
    await page.keyboard.press('Escape');

    // Adds several pictures, one of them corrupt. A reload must lose nothing.
    const cut = (await readFile('e2e/images/coffee-40x40.jpg')).subarray(0, 700);
    await dropOn(page, { name: 'cut.jpg', bytes: cut }, await png('b.png', 16, 12));
    await queueStatus(page, '2 of 3 done, 1 failed');
    await page
      .getByTestId('strip-list')
      .getByRole('button', { name: /^cut\.jpg, failed/ })
      .click();
    await page.getByTestId('error').filter({ hasText: 'incomplete' }).waitFor();
    await isSound('queue');
    await page.reload();
    await queueStatus(page, '2 of 3 done, 1 failed');
    await page.getByRole('button', { name: 'Remove all' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await queueStatus(page, '2 of 3 done, 1 failed');

    // Switches to another language and shows the stored data.
    await page.getByTestId('language').selectOption('de');
    await page.waitForFunction(() => document.documentElement.lang === 'de');
    await page.locator('#kept summary').click();
    await page.getByTestId('kept-size').waitFor();
    await isSound('german');
    await close();
  });
});
