import sharp from 'sharp';
import { expect, inject, it } from 'vitest';
import { launch } from './browser.ts';

/** Browsers call longer tasks "long", and people notice them. */
const LIMIT_MS = 50;

interface LongTask {
  readonly start: number;
  readonly milliseconds: number;
}
type WatchedWindow = Window & { longTasks: () => LongTask[] };

// With one retry, because other work on a busy machine can lengthen any task.
it('the page stays responsive during an upscale', { retry: 1 }, async () => {
  const browser = await launch({ webgpu: true });
  try {
    const page = await browser.newPage();
    await page.goto(`${inject('siteUrl')}?backend=webgpu`);
    await page.getByTestId('status').filter({ hasText: 'Ready' }).waitFor();
    await page.evaluate(() => {
      const seen: LongTask[] = [];
      const keep = (entries: PerformanceEntryList) => {
        for (const { startTime, duration } of entries) {
          seen.push({ start: startTime, milliseconds: duration });
        }
      };
      const observer = new PerformanceObserver((list) => keep(list.getEntries()));
      observer.observe({ type: 'longtask' });
      (window as unknown as WatchedWindow).longTasks = () => {
        keep(observer.takeRecords());
        return seen;
      };
    });
    const longTasks = () => page.evaluate(() => (window as unknown as WatchedWindow).longTasks());

    // The check itself works: it detects a task that blocks the page.
    await page.evaluate(() => {
      setTimeout(() => {
        const end = performance.now() + 120;
        while (performance.now() < end);
      });
    });
    const blocked = async () => (await longTasks()).find(({ milliseconds }) => milliseconds >= 120);
    await expect.poll(blocked).toBeDefined();
    const begun = await page.evaluate(() => performance.now());

    const photo = await sharp('public/samples/coffee.jpg')
      .extract({ left: 100, top: 60, width: 48, height: 48 })
      .png()
      .toBuffer();
    const file = { name: 'cup.png', mimeType: 'image/png', buffer: photo };
    await page.getByTestId('file').setInputFiles(file);
    await page.getByTestId('status').filter({ hasText: /^Done/ }).waitFor({ timeout: 120_000 });
    const during = (await longTasks()).filter(({ start }) => start > begun);
    expect(during.filter(({ milliseconds }) => milliseconds > LIMIT_MS)).toEqual([]);
  } finally {
    await browser.close();
  }
});
