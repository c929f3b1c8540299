/** Limits how much a visitor must download before dropping a picture. */
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { launch } from './browser.ts';
import { status } from './demo-page.ts';

const LIMIT = 130_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

it.each([
  [1440, 900],
  [390, 844],
])('at %d x %d: at most 130 KB gzipped, and nothing moves', async (width, height) => {
  const page = await browser.newPage({ viewport: { width, height } });
  // Idle callbacks never run, because code that loads in idle time is not part of the first load.
  await page.addInitScript(() => {
    Object.assign(window, { requestIdleCallback: () => 0, moved: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { hadRecentInput, value } = entry as PerformanceEntry & {
          readonly hadRecentInput: boolean;
          readonly value: number;
        };
        if (!hadRecentInput) (window as unknown as { moved: number }).moved += value;
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
  const parts: Promise<readonly [string, number]>[] = [];
  page.on('response', (response) => {
    const size = async () => {
      const body = await response.body();
      const isText = /\.(js|css|svg|webmanifest|html)$|\/$/.test(new URL(response.url()).pathname);
      return [response.url(), isText ? gzipSync(body).length : body.length] as const;
    };
    parts.push(size());
  });
  await page.goto(inject('siteUrl'), { waitUntil: 'networkidle' });
  await status(page, /^Ready/);
  const sizes = await Promise.all(parts);
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  console.log(`${total} bytes in ${sizes.length} requests`);
  expect(sizes.length).toBeGreaterThan(5);
  expect(sizes.filter(([url]) => /worker|safetensors/.test(url))).toEqual([]);
  expect(total).toBeLessThan(LIMIT);
  expect(await page.evaluate(() => (window as unknown as { moved: number }).moved)).toBeLessThan(
    0.02,
  );
  await page.close();
});
