/**
 * Tests selecting a part of a picture. The part is enlarged, compared, saved and stored, and then
 * the whole picture is restored.
 */
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { violations } from './axe.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, fileAt, kept, openDemo, status } from './demo-page.ts';
import { decode, expected, expectSamePicture, resized } from './oracle.ts';

const PHOTO = 'e2e/images/chelsea-24x20.png';
const MODEL = 'a2n-photo-x2';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

const facts = (page: Page) => page.getByTestId('crop-facts').textContent();

/** Drags the pointer between two positions, given as fractions of the picture's size. */
async function drag(page: Page, from: readonly [number, number], to: readonly [number, number]) {
  const box = (await page.locator('.crop-sheet').boundingBox())!;
  const at = ([x, y]: readonly [number, number]) =>
    [box.x + x * box.width, box.y + y * box.height] as const;
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 4 });
  await page.mouse.up();
}

it('everything is of the part: result, comparison, files; also after a reload', async () => {
  const { page, close } = await openDemo(browser);
  await dropOn(page, await fileAt(PHOTO));
  await status(page, /^Done/);
  expect(await page.getByTestId('part-size').textContent()).toBe('24 × 20 pixels');
  await page.getByTestId('crop').click();
  // Draws a rectangle where there is none.
  await drag(page, [0.02, 0.02], [0.52, 0.52]);
  expect(await facts(page)).toMatch(/^1[67] × 16, from 0, 0$/);
  await page.getByTestId('crop-cancel').click();
  expect(await page.getByTestId('part-size').textContent()).toBe('24 × 20 pixels');

  await page.getByTestId('crop').click();
  const frame = page.getByTestId('crop-frame');
  await frame.focus();
  // Uses the keyboard to shrink the rectangle to the minimum size, move it and accept it.
  await page.getByRole('button', { name: 'Bottom right corner' }).focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowLeft');
  await frame.focus();
  for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowUp');
  expect(await facts(page)).toBe('16 × 16, from 8, 1');
  await page.keyboard.press('Enter');
  await page.getByTestId('part-size').filter({ hasText: '16 × 16 pixels' }).waitFor();
  await page.locator('#fact-to').filter({ hasText: '32 × 32' }).waitFor();
  await status(page, /^Done/);
  expect(await page.locator('#fact-from').textContent()).toBe('16 × 16');

  const part = await sharp(PHOTO)
    .extract({ left: 8, top: 1, width: 16, height: 16 })
    .png()
    .toBuffer();
  const wanted = await expected(MODEL, await decode([...part]));
  const { bytes } = await downloadBy(page, 'download-png');
  expectSamePicture(await decode([...bytes]), wanted);

  // The left side shows the same part.
  await page.getByTestId('before-mode').selectOption('pixels');
  const middle = await page.getByTestId('compare').evaluate((stage) => {
    const canvas = stage.querySelector('canvas')!;
    const of = (name: string) => Number.parseFloat(stage.style.getPropertyValue(name));
    const [x, y] = [of('--left') + 3, of('--top') + 3].map((value) => value * devicePixelRatio);
    return [...canvas.getContext('2d')!.getImageData(x, y, 1, 1).data];
  });
  const { data } = await decode([...part]);
  expect(middle.slice(0, 3)).toEqual([...data.slice(0, 3)]);

  // At a lower strength, the result is blended with the same part.
  await page.getByTestId('strength').fill('0');
  const mixed = await downloadBy(page, 'download-png');
  expectSamePicture(await decode([...mixed.bytes]), await resized(await decode([...part]), 32, 32));
  await page.getByTestId('strength').fill('100');

  const done = { name: 'chelsea-24x20.png', phase: 'done', strength: 1 };
  await expect.poll(async () => (await kept(page)).pictures).toEqual([done]);
  await page.reload();
  await status(page, /^Done/);
  expect(await page.getByTestId('part-size').textContent()).toBe('16 × 16 pixels');
  expect(Buffer.compare((await downloadBy(page, 'download-png')).bytes, bytes)).toBe(0);

  // Removing the crop restores the whole picture's result.
  await page.getByTestId('crop-none').click();
  await page.locator('#fact-to').filter({ hasText: '48 × 40' }).waitFor();
  await status(page, /^Done/);
  expect(await page.getByTestId('crop-none').isHidden()).toBe(true);
  await close();
});

describe.each([
  [390, 844, 'light'],
  [1440, 900, 'dark'],
  [844, 390, 'light'],
] as const)('at %d x %d, %s', (width, height, colorScheme) => {
  it('has shapes, fits, and axe finds nothing', async () => {
    const viewport = { width, height };
    const { page, close } = await openDemo(browser, { viewport, colorScheme });
    await dropOn(page, await fileAt('e2e/images/coffee-40x40.jpg'));
    await status(page, /^Done/);
    await page.getByTestId('crop').click();
    const shape = page.getByTestId('crop-shape');
    await shape.selectOption('16:9');
    expect(await facts(page)).toBe('40 × 23, from 0, 9');
    await shape.selectOption('1:1');
    await drag(page, [0.7, 0.7], [0.99, 0.99]);
    const [, across, down] = /^(\d+) × (\d+)/.exec((await facts(page)) ?? '') ?? [];
    expect(across).toBe(down);
    const ends = await page.evaluate(() =>
      [...document.querySelectorAll('.crop-bar > *, .crop-frame button')].map((element) => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
      }),
    );
    expect(ends).toHaveLength(12);
    expect(ends).not.toContain(false);
    expect(await violations(page)).toEqual([]);
    // Escape closes the dialog, keeps the result, and returns the focus.
    await page.keyboard.press('Escape');
    await status(page, /^Done/);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('crop');
    await close();
  });
});
