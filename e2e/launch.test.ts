import { expect, inject, it } from 'vitest';
import { launch } from './browser.ts';

const FOREIGN = 'http://weights.example/a.safetensors';

it('every suite fails that asks another machine for anything, from a page or a worker', async () => {
  for (const from of ['page', 'worker']) {
    const browser = await launch({ webgpu: false });
    const page = await browser.newPage();
    // The benchmark page has no content security policy, which would otherwise block the request
    // before it is sent.
    await page.goto(new URL('bench.html', inject('siteUrl')).href);
    await page.evaluate(
      ([from, url]) =>
        new Promise<void>((resolve) => {
          const ask = `fetch(${JSON.stringify(url)}).catch(() => {})`;
          if (from === 'page') {
            void fetch(url as string).catch(() => resolve());
            return;
          }
          const script = new Blob([`${ask}.then(() => postMessage(0))`]);
          new Worker(URL.createObjectURL(script)).onmessage = () => resolve();
        }),
      [from, FOREIGN],
    );
    await expect(browser.close(), from).rejects.toThrow(FOREIGN);
  }
});

it('a suite passes that stays with its own site', async () => {
  const browser = await launch({ webgpu: false });
  const page = await browser.newPage();
  await page.goto(inject('siteUrl'));
  await expect(browser.close()).resolves.toBeUndefined();
});
