/**
 * Checks that the important elements are in view and that nothing is cut off, on small and large
 * screens.
 */
import type { Browser } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { dropOn, fileAt, openDemo, overflowing, status } from './demo-page.ts';
import { encode } from './oracle.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

/** Creates a picture in a single colour, so that its file is small at any size. */
const plain = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#456' } })
    .png()
    .toBuffer();

describe.each([
  [390, 844],
  [844, 390],
  [720, 450],
  [1440, 900],
])('at %d x %d', (width, height) => {
  it('Save is in view, also with several pictures, and nothing is cut off', async () => {
    const { page, close } = await openDemo(browser, { viewport: { width, height } });
    const isSaveSeen = () =>
      page.getByTestId('download-png').evaluate((button) => {
        const { left, right, top, bottom } = button.getBoundingClientRect();
        const middle = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        return top >= 0 && bottom <= innerHeight && button.contains(middle);
      });
    await dropOn(page, await fileAt('e2e/images/chelsea-24x20.png'));
    await status(page, /^Done/);
    expect(await isSaveSeen()).toBe(true);
    expect(await overflowing(page)).toEqual([]);
    await dropOn(page, await fileAt('e2e/images/coffee-40x40.jpg'));
    await page.getByTestId('queue-status').filter({ hasText: '2 of 2 done' }).waitFor();
    expect(await isSaveSeen()).toBe(true);
    expect(await overflowing(page)).toEqual([]);
    // The picture is visible too.
    const stage = await page.getByTestId('compare').boundingBox();
    expect(Math.min(stage!.width, stage!.height)).toBeGreaterThan(120);
    await close();
  });

  it('shows the welcome page from its top', async () => {
    const { page, close } = await openDemo(browser, { viewport: { width, height } });
    const tops = () =>
      page.evaluate(() =>
        ['.stage', '.loupe', '.invitation h2'].map(
          (selector) => document.querySelector(selector)!.getBoundingClientRect().top,
        ),
      );
    const [stage, ...others] = await tops();
    expect(Math.min(...others)).toBeGreaterThanOrEqual(stage);
    expect(await overflowing(page)).toEqual([]);
    await close();
  });

  it('has room for the sizes of a large picture', async () => {
    const { page, close } = await openDemo(browser, { viewport: { width, height } });
    // Once a model of scale 1 is added, the page offers all four sizes.
    await dropOn(page, { name: '1x-noise.safetensors', bytes: tinyCheckpoint(1) });
    await page.getByTestId('own').getByText('Compact, removes noise').waitFor();
    await dropOn(page, { name: 'large.png', bytes: await plain(2600, 1740) });
    await page.getByText('10400 × 6960').waitFor();
    expect(await overflowing(page)).toEqual([]);
    const wrapped = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('.segments :is(b, small), .zoom button, #crop')]
          .filter((element) => element.checkVisibility())
          .filter((element) => {
            const range = document.createRange();
            range.selectNodeContents(element);
            return new Set([...range.getClientRects()].map(({ top }) => top)).size > 1;
          })
          .map(({ textContent }) => textContent),
      );
    expect(await wrapped()).toEqual([]);
    await page.locator('#task input').nth(1).check({ force: true });
    await page.locator('#size-1').waitFor();
    expect(await wrapped()).toEqual([]);
    expect(await overflowing(page)).toEqual([]);
    await close();
  });
});

it.each([
  [1, 1],
  [64, 48],
])('a picture of %d x %d is large enough to be seen on a large screen', async (width, height) => {
  const { page, close } = await openDemo(browser, { viewport: { width: 2560, height: 1440 } });
  await dropOn(page, { name: 'small.png', bytes: await encode(picture(width, height)) });
  await status(page, /^Done/);
  const shown = await page.evaluate(() => {
    const stage = document.getElementById('compare')!;
    const pixels = (name: string) => Number.parseFloat(stage.style.getPropertyValue(name));
    return [pixels('--height'), stage.clientHeight];
  });
  expect(shown[0]).toBeGreaterThanOrEqual(shown[1] * 0.48);
  await close();
});
