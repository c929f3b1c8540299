/** Limits the additional download for visitors without a GPU. */
import { gzipSync } from 'node:zlib';
import { expect, inject, it } from 'vitest';
import { launch } from './browser.ts';
import { dropOn, fileAt, status } from './demo-page.ts';

const LIMIT = 16 * 1024;

/**
 * Returns the gzipped size in bytes of each script that the demo loads to enlarge a photo, by
 * script name.
 */
async function scripts(webgpu: boolean): Promise<Map<string, number>> {
  const browser = await launch({ webgpu });
  try {
    // A service worker would load everything in advance.
    const context = await browser.newContext({ serviceWorkers: 'block' });
    const sizes = new Map<string, number>();
    const reading: Promise<void>[] = [];
    context.on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (!pathname.endsWith('.js')) return;
      const name = pathname.split('/').at(-1) as string;
      const read = response.body().then((body) => {
        sizes.set(name, gzipSync(body, { level: 9 }).length);
      });
      reading.push(read);
    });
    const page = await context.newPage();
    await page.goto(`${inject('siteUrl')}${webgpu ? '?backend=webgpu' : ''}`);
    await dropOn(page, await fileAt('e2e/images/chelsea-24x20.png'));
    await status(page, /^Done/);
    await Promise.all(reading);
    return sizes;
  } finally {
    await browser.close();
  }
}

it('is at most 16 KB gzipped, and nothing of it where a GPU does the work', async () => {
  const [without, withGpu] = [await scripts(false), await scripts(true)];
  const added = [...without].filter(([name]) => !withGpu.has(name));
  const total = added.reduce((sum, [, size]) => sum + size, 0);
  console.info(`${total} bytes: ${added.map((entry) => entry.join(' ')).join(', ')}`);
  expect(added.map(([name]) => name.split('-')[0])).toContain('cpu');
  expect([...withGpu.keys()].join(' ')).toContain('worker');
  expect([...withGpu.keys()].filter((name) => /^(cpu|crew|simd|relaxed)\b/.test(name))).toEqual([]);
  expect(total).toBeLessThanOrEqual(LIMIT);
});
