/** The queue and its results survive a reload, until they expire or are forgotten. */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, openDemo, queueStatus, status } from './demo-page.ts';
import { encode } from './oracle.ts';

let browser: Browser;
let page: Page;
let close: () => Promise<void>;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());
beforeEach(async () => {
  ({ page, close } = await openDemo(browser));
});
afterEach(() => close());

const kept = () =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const names: string[] = [];
    const folder = await root.getDirectoryHandle('crispen-pictures', { create: true });
    for await (const name of folder.keys()) names.push(name.replace(/^.*(?=\.\w+$)/, ''));
    return names.filter((name) => name !== '.json').sort();
  });

const png = async (name: string, side: number) => ({
  name,
  bytes: await encode(picture(side, side)),
});

it('brings back pictures and results, and goes on with the rest', async () => {
  const corrupt = {
    name: 'cut.jpg',
    bytes: (await readFile('e2e/images/coffee-40x40.jpg')).subarray(0, 700),
  };
  await dropOn(
    page,
    await png('a.png', 16),
    corrupt,
    await png('b.png', 16),
    await png('c.png', 300),
  );
  await queueStatus(page, '2 of 4 done, 1 failed');
  await page
    .getByTestId('strip-list')
    .getByRole('button', { name: /^b\.png/ })
    .click();
  const { bytes } = await downloadBy(page, 'download-png');
  await expect.poll(kept).toEqual([...Array(2).fill('.result'), ...Array(4).fill('.source')]);
  await page.reload();
  await queueStatus(page, /^2 of 4 done, 1 failed/);
  const tiles = page.getByTestId('strip-list').getByRole('button');
  const labels = await tiles.evaluateAll((all) =>
    all.map((tile) => tile.getAttribute('aria-label')),
  );
  expect(labels.slice(0, 3)).toEqual([
    'a.png, done',
    'cut.jpg, failed: The JPEG file is incomplete.',
    'b.png, done',
  ]);
  expect(labels[3]).toMatch(/^c\.png, (\d+ %|waiting)$/);
  // The same one is on the stage, and its result is the very file.
  await status(page, /^Done/);
  expect(await tiles.nth(2).getAttribute('aria-current')).toBe('true');
  expect(Buffer.compare((await downloadBy(page, 'download-png')).bytes, bytes)).toBe(0);
  await tiles.nth(3).click();
  await page.getByTestId('progress').waitFor();
  await page.getByTestId('cancel').click();
});

it('forgets what is a week old, and everything when told to', async () => {
  await dropOn(page, await png('a.png', 12));
  await status(page, /^Done/);
  await expect.poll(kept).toEqual(['.result', '.source']);
  await page.getByText('Kept in this browser').click();
  const switched = page.getByTestId('keep-pictures');
  await switched.uncheck();
  await expect.poll(kept).toEqual([]);
  await switched.check();
  await expect.poll(kept).toEqual(['.result', '.source']);
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Forget all now' }).click();
  await expect.poll(kept).toEqual([]);
  await page.getByTestId('status').filter({ hasText: 'Ready' }).waitFor();

  await dropOn(page, await png('b.png', 12));
  await status(page, /^Done/);
  await expect.poll(kept).toEqual(['.result', '.source']);
  // A week and a minute later.
  await page.addInitScript(() => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + 7 * 24 * 3600_000 + 60_000;
  });
  await page.reload();
  await page.getByTestId('status').filter({ hasText: 'Ready' }).waitFor();
  await expect.poll(kept).toEqual([]);
});
