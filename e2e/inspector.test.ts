/** Uses the attention inspector as a visitor would. */
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { violations } from './axe.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, fileAt, openDemo, status } from './demo-page.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

/** Saves a screenshot for people to inspect, if a folder is given. */
async function look(page: Page, name: string): Promise<void> {
  const folder = process.env.CRISPEN_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

const canvas = (page: Page) => page.getByTestId('inspector-canvas');
const picture = (page: Page) =>
  canvas(page).evaluate((element) => (element as HTMLCanvasElement).toDataURL());

describe.each([
  [1440, 900, 'light'],
  [390, 844, 'dark'],
  [844, 390, 'light'],
  [720, 450, 'dark'],
] as const)('at %d x %d, %s', (width, height, colorScheme) => {
  it('shows branch weights and maps, follows a pixel, and exports', async () => {
    const { page, close } = await openDemo(browser, { viewport: { width, height }, colorScheme });
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(request.url()));
    await dropOn(page, await fileAt('e2e/images/chelsea-24x20.png'));
    await status(page, /^Done/);
    // The inspector's code is not loaded until the inspector is opened.
    expect(loaded.filter((url) => /inspector/.test(url))).toEqual([]);
    await page.getByTestId('inspect').click();
    await canvas(page).waitFor();

    const bars = page.getByRole('dialog').locator('.bar-of');
    expect(await bars.count()).toBe(17);
    const label = await bars.nth(3).getAttribute('aria-label');
    const [, attention, other] =
      /^block 3: attention (0\.\d{3}), non-attention (0\.\d{3})$/.exec(label ?? '') ?? [];
    expect(Number(attention) + Number(other)).toBeCloseTo(1, 2);
    await bars.nth(3).click();
    const mean = await picture(page);
    await page.getByTestId('inspector-map').selectOption('enhanced');
    expect(await picture(page)).not.toBe(mean);

    await canvas(page).click({ position: { x: 20, y: 20 } });
    await page.getByText(/^Pixel \d+, \d+ through the blocks$/).waitFor();
    await canvas(page).press('ArrowRight');
    await look(page, `inspector-${width}-${colorScheme}`);
    expect(await violations(page)).toEqual([]);
    const dialog = page.getByRole('dialog');
    expect(await dialog.evaluate((element) => element.scrollWidth <= element.clientWidth)).toBe(
      true,
    );

    const png = await downloadBy(page, 'inspector-png');
    expect(png.name).toBe('chelsea-24x20 block3 enhanced.png');
    const { width: columns = 0, height: rows = 0 } = await sharp(png.bytes).metadata();
    expect(columns / rows).toBeCloseTo(24 / 20);
    const json = await downloadBy(page, 'inspector-json');
    const data = JSON.parse(new TextDecoder().decode(json.bytes));
    expect(data).toMatchObject({ model: 'a2n-photo-x2', width: 24, height: 20, reduction: 1 });
    expect(data.blocks[3].branches[0]).toBeCloseTo(Number(attention), 2);
    expect(data.map).toMatchObject({ layer: 'block3', choice: 'enhanced', width: 24, height: 20 });
    expect(data.map.values).toHaveLength(24 * 20);
    expect(data.pixel.attention).toHaveLength(17);

    // Escape closes the dialog, and the result stays.
    await page.keyboard.press('Escape');
    await canvas(page).waitFor({ state: 'detached' });
    await status(page, /^Done/);
    await close();
  });
});

it('looks closer at a part of a picture that it reduced', async () => {
  const { page, close } = await openDemo(browser);
  await dropOn(page, await fileAt('public/samples/astronaut.jpg'));
  await status(page, /^Done/);
  await page.getByTestId('inspect').click();
  await page.getByText(/reduced \d times/).waitFor();
  await look(page, 'inspector-reduced');
  await page.getByTestId('inspector-closer').click();
  await page.getByText('128 × 128 pixels, as in the picture.').waitFor();
  await look(page, 'inspector-closer');
  await page.getByTestId('inspector-whole').click();
  await page.getByText(/reduced \d times/).waitFor();
  await close();
});
