import type { Browser } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { launch } from './browser.ts';
import { dropOn, status } from './demo-page.ts';
import { tasksDuring } from './trace.ts';

/** Browsers call tasks that exceed this limit "long", and people notice them. */
const LIMIT_MS = 50;

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

// A software adapter keeps all cores busy, so tasks have to wait for a core. The test therefore
// measures CPU time.
it('the page stays responsive during an upscale on a GPU', async () => {
  const site = inject('siteUrl');
  const page = await browser.newPage();
  await page.goto(`${site}?backend=webgpu`);
  await status(page, /^Ready/);
  const bytes = await sharp('public/samples/coffee.jpg')
    .extract({ left: 100, top: 60, width: 48, height: 48 })
    .png()
    .toBuffer();
  const tasks = await tasksDuring(browser, page, site, async () => {
    await dropOn(page, { name: 'cup.png', bytes });
    await status(page, /^Done/);
  });
  const [{ cpuMs, wallMs, scripts }] = tasks;
  console.log(`at most ${cpuMs.toFixed(1)} ms of ${wallMs.toFixed(1)}: ${scripts.join(', ')}`);
  expect(tasks.length).toBeGreaterThan(10);
  expect(tasks.filter(({ cpuMs }) => cpuMs > LIMIT_MS)).toEqual([]);
});
