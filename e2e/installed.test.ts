/**
 * Tests the installed app's integration with the system: icons, shared pictures, opened files and
 * updates.
 */
import { readFile } from 'node:fs/promises';
import type { Browser } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { launch } from './browser.ts';
import { openDemo, status } from './demo-page.ts';

const PHOTO = 'e2e/images/chelsea-24x20.png';

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: false });
});
afterAll(() => browser.close());

it('the icons have the sizes that the manifest says', async () => {
  const manifest = JSON.parse(await readFile('public/app.webmanifest', 'utf8'));
  const sizes = manifest.icons.map(({ sizes }: { sizes: string }) => sizes);
  expect(sizes).toEqual(expect.arrayContaining(['192x192', '512x512']));
  for (const { src, sizes, type } of manifest.icons) {
    if (sizes === 'any') continue;
    const { width, height, format } = await sharp(`public/${src}`).metadata();
    expect([`${width}x${height}`, `image/${format}`]).toEqual([sizes, type]);
  }
});

it('a shared picture is opened, once', async () => {
  const { page, close } = await openDemo(browser);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const bytes = [...(await readFile(PHOTO))];
  const arrived = await page.evaluate(async (content) => {
    const form = new FormData();
    form.append(
      'pictures',
      new File([Uint8Array.from(content)], 'Möwe 1.png', { type: 'image/png' }),
    );
    // The response redirects to the page, which the service worker serves from its cache.
    return (await fetch('./share', { method: 'POST', body: form })).ok;
  }, bytes);
  expect(arrived).toBe(true);
  await page.goto(`${inject('siteUrl')}?shared`);
  await status(page, /^Done/);
  expect(await page.evaluate(() => location.search)).toBe('');
  expect(await page.locator('#canvas').getAttribute('aria-label')).toContain('Möwe 1.png');
  expect(
    await page.evaluate(async () => (await (await caches.open('crispen-shared')).keys()).length),
  ).toBe(0);
  await close();
});

it('a file that is opened with the app is enlarged', async () => {
  const page = await browser.newPage();
  await page.addInitScript(() => {
    // Browsers that have a `launchQueue` do not allow assignment to it, so the property is
    // redefined.
    Object.defineProperty(window, 'launchQueue', {
      value: {
        setConsumer: (consumer: (launch: object) => void) => Object.assign(window, { consumer }),
      },
    });
  });
  await page.goto(inject('siteUrl'));
  await page.evaluate(
    (content) => {
      const file = new File([Uint8Array.from(content)], 'opened.png', { type: 'image/png' });
      const { consumer } = window as unknown as { consumer: (launch: object) => void };
      consumer({ files: [{ getFile: async () => file }] });
    },
    [...(await readFile(PHOTO))],
  );
  await status(page, /^Done/);
  await page.close();
});
