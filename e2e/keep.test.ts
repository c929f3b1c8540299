/**
 * Tests that the queue and its results survive a reload, until they expire or the user deletes
 * them.
 */
import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, kept, openDemo, queueStatus, status } from './demo-page.ts';
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

/** Returns the stored files' extensions. */
const endings = async () => (await kept(page)).files;

const png = async (name: string, side: number) => ({
  name,
  bytes: await encode(picture(side, side)),
});

it('brings back 20 pictures and their results after a reload in the middle, and goes on', async () => {
  const corrupt = {
    name: 'cut.jpg',
    bytes: (await readFile('e2e/images/coffee-40x40.jpg')).subarray(0, 700),
  };
  const named = (i: number) => `p${String(i).padStart(2, '0')}.png`;
  const small = await Promise.all([...Array(10).keys()].map((i) => png(named(i), 12 + (i % 3))));
  const rest = await Promise.all([...Array(8).keys()].map((i) => png(named(11 + i), 12 + (i % 4))));
  await dropOn(page, ...small, corrupt, await png(named(10), 220), ...rest);
  await queueStatus(page, '10 of 20 done, 1 failed');
  const tiles = page.getByTestId('strip-list').getByRole('button');
  await tiles.nth(7).click();
  const { bytes } = await downloadBy(page, 'download-png');
  await expect.poll(endings).toEqual([...Array(10).fill('.result'), ...Array(20).fill('.source')]);
  const phases = async () => {
    const { pictures, selected } = await kept(page);
    const of = (wanted: string) => pictures.filter(({ phase }) => phase === wanted).length;
    return { done: of('done'), failed: of('failed'), waiting: of('waiting'), selected };
  };
  await expect.poll(phases).toEqual({ done: 10, failed: 1, waiting: 9, selected: 'p07.png' });
  await page.reload();
  await queueStatus(page, /^10 of 20 done, 1 failed/);
  const labels = await tiles.evaluateAll((all) =>
    all.map((tile) => tile.getAttribute('aria-label')),
  );
  expect(labels.slice(0, 11)).toEqual([
    ...small.map(({ name }) => `${name}, done`),
    'cut.jpg, failed: The JPEG file is incomplete.',
  ]);
  expect(labels[11]).toMatch(/^p10\.png, (\d+ %|waiting)$/);
  expect(labels.slice(12)).toEqual(rest.map(({ name }) => `${name}, waiting`));
  // The stage shows the same picture as before, and its result file is identical.
  await status(page, /^Done/);
  expect(await tiles.nth(7).getAttribute('aria-current')).toBe('true');
  expect(Buffer.compare((await downloadBy(page, 'download-png')).bytes, bytes)).toBe(0);
  // The large picture's job is cancelled, and all other jobs are done.
  await tiles.nth(11).click();
  await page.getByTestId('progress').waitFor();
  await page.getByTestId('cancel').click();
  await queueStatus(page, /^18 of 20 done, 1 failed/);
});

it('forgets what is a week old, and everything when told to', async () => {
  await dropOn(page, await png('a.png', 12));
  await status(page, /^Done/);
  await expect.poll(endings).toEqual(['.result', '.source']);
  await page.getByText('Kept in this browser').click();
  const switched = page.getByTestId('keep-pictures');
  await switched.uncheck();
  await expect.poll(endings).toEqual([]);
  await switched.check();
  await expect.poll(endings).toEqual(['.result', '.source']);
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Forget all now' }).click();
  await expect.poll(endings).toEqual([]);
  await page.getByTestId('status').filter({ hasText: 'Ready' }).waitFor();

  await dropOn(page, await png('b.png', 12));
  await status(page, /^Done/);
  await expect.poll(endings).toEqual(['.result', '.source']);
  // The page is reloaded a week and a minute later.
  await page.addInitScript(() => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + 7 * 24 * 3600_000 + 60_000;
  });
  await page.reload();
  await page.getByTestId('status').filter({ hasText: 'Ready' }).waitFor();
  await expect.poll(endings).toEqual([]);
});
