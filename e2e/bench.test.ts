import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Row } from '../bench/contender.ts';
import type { PageRequest, PageResult } from '../bench/page/page.ts';
import { de } from '../bench/page/texts/de.ts';
import { en, type Texts } from '../bench/page/texts/en.ts';
import { ja } from '../bench/page/texts/ja.ts';
import { violations } from './axe.ts';
import { launch } from './browser.ts';

/** The function that bench/page/page.ts adds to the window. */
type BenchWindow = { crispenBench: (request: PageRequest) => Promise<PageResult> };

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

it('the bench runs fused and unfused, which agree, and knows what they cost', async () => {
  const page = await browser.newPage();
  await page.goto(`${inject('siteUrl')}bench.html`);
  const request: PageRequest = {
    engines: ['crispen-fused', 'crispen-unfused', 'crispen-f16', 'crispen-cpu'],
    sizes: [[16, 16]],
    repeats: 1,
    scale: 2,
    weights: null,
    threads: [1],
    registers: null,
  };
  const { rows, ceiling, adapter } = await page.evaluate(
    (request) => (window as unknown as BenchWindow).crispenBench(request),
    request,
  );
  expect(adapter).not.toBe('');
  expect(ceiling.multiplyAdds.f32).toBeGreaterThan(0);
  expect(ceiling.bandwidth).toBeGreaterThan(0);
  expect(rows.map(({ engine }) => engine)).toEqual(request.engines);
  const [fused, unfused, half, cpu] = rows;
  for (const row of [fused, unfused]) {
    expect(row).toMatchObject({ network: 'a2n', scale: 2, width: 16, height: 16 });
    expect(row).toMatchObject({ precision: 'f32', multiplyAddsPerPixel: 1074072 });
    expect(row.error).toBeUndefined();
    const positive: (keyof Row)[] = ['medianMs', 'firstMs', 'gpuBytes', 'bytesPerPixel'];
    for (const field of [...positive, 'multiplyAddShare', 'bandwidthShare'] as const) {
      expect(row[field], field).toBeGreaterThan(0);
    }
    expect(row.firstMs).toBeGreaterThan(row.medianMs!);
    expect(row.multiplyAddShare).toBeLessThan(1);
    // Outputs are within 0..1. Engines sum in different orders, so their rounding differs.
    expect(row.maxAbsDiff).toBeLessThan(1e-4);
  }
  expect(fused.dispatches).toBeLessThan(unfused.dispatches!);
  expect(fused.bytesPerPixel).toBeLessThan(unfused.bytesPerPixel!);
  // The software adapter has no f16. The result is a row with an error, and the other engines still
  // run.
  expect(half.precision).toBe('f16');
  if (half.error === undefined) expect(half.maxAbsDiff).toBeLessThan(2e-2);
  else expect(half).toMatchObject({ medianMs: null, error: expect.stringMatching(/f16/) });
  expect(cpu.error).toBeUndefined();
  expect(cpu).toMatchObject({ threads: 1, multiplyAddsPerPixel: 1074072, dispatches: 0 });
  expect(cpu.gflopsPerThread).toBeGreaterThan(0);
  expect(cpu.maxAbsDiff).toBeLessThan(1e-5);
  await page.close();
});

describe('for a visitor', () => {
  it.each([
    [390, 844],
    [844, 390],
    [720, 450],
    [1440, 900],
  ])(
    'at %d x %d the page fits, nothing moves, and axe finds nothing serious',
    async (width, height) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page, close } = await open({ viewport: { width, height }, colorScheme });
        const [moved, beyond] = await page.evaluate(() => [
          (window as unknown as { moved: number }).moved,
          document.documentElement.scrollWidth - innerWidth,
        ]);
        expect(moved).toBeLessThan(0.02);
        expect(beyond).toBeLessThanOrEqual(0);
        await page.getByRole('navigation').getByRole('link', { name: 'Docs' }).waitFor();
        expect(await violations(page)).toEqual([]);
        await close();
      }
    },
  );

  it('a measurement is cancelled at once, in its first run too, and another one works', async () => {
    const { page, close } = await open();
    page.setDefaultTimeout(200_000);
    const start = page.getByRole('button', { name: 'Measure' });
    const cancel = page.getByRole('button', { name: 'Cancel' });
    const bar = page.getByRole('progressbar');
    expect([await cancel.isVisible(), await bar.isVisible()]).toEqual([false, false]);
    const stop = async (by: () => Promise<unknown>) => {
      const began = performance.now();
      await by();
      await page.getByText('Cancelled.').waitFor({ timeout: 10_000 });
      expect(performance.now() - began).toBeLessThan(1000);
      expect([await start.isEnabled(), await bar.isVisible()]).toEqual([true, false]);
    };
    // Runs of 512 x 512 take minutes on the software adapter.
    await page.locator('#size').selectOption('512 × 512');
    await start.click();
    await page.getByText(/^Measuring the ceilings/).waitFor();
    expect(await start.isDisabled()).toBe(true);
    await stop(() => cancel.click());
    await start.click();
    await page.getByText(/^Measuring 512 × 512: One kernel per operation/).waitFor();
    // The run itself also moves the progress bar.
    const done = () => bar.evaluate((e) => Number(e.style.getPropertyValue('--fraction')));
    const before = await done();
    await expect.poll(done, { timeout: 120_000 }).toBeGreaterThan(before);
    await stop(() => page.keyboard.press('Escape'));
    expect(await page.getByRole('region', { name: 'Results' }).isVisible()).toBe(false);
    await smallSize(page);
    await start.click();
    await page.getByText('Done.').waitFor();
    await close();
  });

  it('the results are a chart, a table and a report to copy', async () => {
    const { page, close } = await open({
      viewport: { width: 390, height: 844 },
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    page.setDefaultTimeout(200_000);
    await smallSize(page);
    await page.locator('#repeats').fill('2');
    await page.getByRole('button', { name: 'Measure' }).click();
    await page.getByText('Done.').waitFor();
    const figures = await page
      .locator('#table tr')
      .evaluateAll((rows) =>
        rows.map((row) => [...row.children].map(({ textContent }) => textContent ?? '')),
      );
    const [columns, fused, unfused] = figures;
    expect(figures.length).toBe(4);
    // The slower engine's bar has the full length. The other bar is in proportion.
    const at = columns.indexOf('median ms');
    const medians = [fused, unfused].map((row) => Number(row[at]));
    const bars = await page.locator('#times li').evaluateAll((items) =>
      items.map((item) => {
        const bar = item.querySelector('.length');
        return {
          text: item.textContent,
          whole: bar?.clientWidth ?? 0,
          length: bar ? Number.parseFloat(getComputedStyle(bar, '::before').width) : 0,
        };
      }),
    );
    for (const [index, median] of medians.entries()) {
      expect(bars[index].whole).toBeGreaterThan(100);
      expect(bars[index].length / bars[index].whole).toBeCloseTo(median / Math.max(...medians), 1);
    }
    expect(bars.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^Fused kernels[\d.]+ m?s$/),
      expect.stringMatching(/^One kernel per operation[\d.]+ m?s$/),
      expect.stringMatching(/^Fused, half precision(Not measured: .*f16|[\d.]+ m?s$)/),
    ]);
    expect(await page.locator('#shares li').count()).toBeGreaterThanOrEqual(4);
    await page.getByText(/^32 × 32 pixels in [\d.]+ m?s: /).waitFor();
    const beyond = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(await beyond()).toBeLessThanOrEqual(0);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const report = await page.evaluate(() => navigator.clipboard.readText());
    expect(report).toMatch(/^Crispen bench, \d{4}-\d\d-\d\d\n/);
    for (const part of ['Browser: Mozilla', 'Adapter: ', 'Network: a2n x2, 2 runs each', '16x16'])
      expect(report).toContain(part);
    for (const cell of fused.slice(1).filter((cell) => cell !== '-')) {
      expect(report).toContain(cell);
    }
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page)).toEqual([]);
    }
    await close();
  });
});

describe('in the visitor’s language', () => {
  it('every text is German, then Japanese, which is remembered, also by the demo', async () => {
    const viewport = { width: 390, height: 844 };
    const { page, close } = await open({ locale: 'de-AT', viewport }, de);
    const moved = await page.evaluate(() => (window as unknown as { moved: number }).moved);
    expect(moved).toBeLessThan(0.02);
    page.setDefaultTimeout(200_000);
    const loaded: string[] = [];
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
    const languages = () =>
      loaded.map((path) => /\/(de|es|ja|zh)-[\w-]+\.js$/.exec(path)?.[1]).filter(Boolean);
    await page.reload();
    await page.getByText(de.status.ready).waitFor();
    expect(languages()).toEqual(['de']);
    // The files that the demo stores for offline use include none of the benchmark page's files.
    const kept = await (await fetch(`${inject('siteUrl')}service-worker.js`)).text();
    expect(kept).toMatch(/assets\/de-/);
    for (const path of loaded.filter((path) => /\/de-/.test(path))) {
      expect(kept).not.toContain(path.slice(1));
    }
    const language = () => page.evaluate(() => document.documentElement.lang);
    expect([await language(), await page.title()]).toEqual(['de', de.page.title]);
    await page.getByRole('heading', { name: de.page.howFast }).waitFor();
    await page.getByRole('button', { name: de.page.cancel }).waitFor({ state: 'hidden' });
    await smallSize(page);
    await page.locator('#repeats').fill('1');
    await page.getByRole('button', { name: de.page.measure }).click();
    await page.getByText(de.status.done).waitFor();
    for (const heading of [de.page.times, de.page.shares, de.page.figures, de.page.report]) {
      await page.getByRole('heading', { name: heading }).waitFor();
    }
    expect(await untranslated(page, en, de)).toEqual([]);
    expect(await violations(page)).toEqual([]);
    // The report is for maintainers and stays in English.
    const report = await page.locator('#report').textContent();
    expect(report).toContain('Network: a2n x2, 1 run each');

    // Text that is already on the page changes too: the status, the chart and the table.
    await page.getByTestId('language').selectOption('ja');
    await page.getByText(ja.status.done).waitFor();
    await page.getByRole('columnheader', { name: ja.columns[3] }).waitFor();
    expect(await untranslated(page, en, ja)).toEqual([]);
    expect(await untranslated(page, de, ja)).toEqual([]);
    expect((await untranslated(page, ja, de)).length).toBeGreaterThan(30);
    expect(await page.locator('#report').textContent()).toBe(report);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(languages()).toEqual(['de', 'ja']);

    await page.reload();
    await page.getByRole('button', { name: ja.page.measure }).waitFor();
    await page.getByRole('link', { name: ja.page.demo }).click();
    await page.getByRole('button', { name: '画像を選ぶ' }).waitFor();
    expect(await language()).toBe('ja');
    // The demo and the benchmark page each have their own text file.
    expect(new Set(loaded.filter((path) => /\/ja-/.test(path))).size).toBe(2);
    await close();
  });
});

it('can be read in English without scripts', async () => {
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto(`${inject('siteUrl')}bench.html`);
  await page.getByRole('heading', { name: en.page.howFast }).waitFor();
  await page.getByText(en.page.intro).waitFor();
  await page.close();
});

/** Returns the visible text and labels outside the report that are still in the other language. */
async function untranslated(page: Page, other: Texts, wanted: Texts): Promise<string[]> {
  const shown = await page.evaluate(() => {
    const found = [document.title];
    const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ELEMENT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const element = node as Element;
      if (element.closest('script, style, option, #report')) continue;
      for (const name of ['aria-label', 'title', 'alt', 'content', 'placeholder']) {
        found.push(element.getAttribute(name) ?? '');
      }
      for (const { nodeType, textContent } of element.childNodes) {
        if (nodeType === Node.TEXT_NODE) found.push(textContent ?? '');
      }
    }
    return found.map((text) => text.trim()).filter(Boolean);
  });
  const all = (value: unknown): string[] => {
    // For a function, returns the fixed parts of its sentence, without the inserted values.
    if (typeof value === 'function') {
      return String(value(...Array(value.length).fill('\0'))).split('\0');
    }
    if (typeof value === 'string') return [value];
    return Object.values(value as object).flatMap(all);
  };
  const words = (texts: Texts) => all(texts).map((text) => text.trim());
  const right = new Set(words(wanted));
  const wrong = words(other).filter((text) => !right.has(text));
  const isIn = (text: string) =>
    wrong.some((one) => text === one || (/\w{3,}\W+\w{3,}/.test(one) && text.includes(one)));
  return shown.filter(isIn);
}

/**
 * Adds the size 16 x 16 to the list, because the software adapter needs only seconds at this size.
 */
async function smallSize(page: Page): Promise<void> {
  await page.locator('#size').evaluate((select: HTMLSelectElement) => {
    select.add(new Option('16 × 16', '16x16'));
    select.value = '16x16';
  });
}

/** Opens the benchmark page. `close` fails if the console showed an error. */
async function open(options: Parameters<Browser['newPage']>[0] = {}, texts: Texts = en) {
  const page = await browser.newPage(options);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.addInitScript(() => {
    Object.assign(window, { moved: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { value } = entry as PerformanceEntry & { readonly value: number };
        (window as unknown as { moved: number }).moved += value;
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await page.goto(`${inject('siteUrl')}bench.html`, { waitUntil: 'networkidle' });
  await page.getByText(texts.status.ready).waitFor();
  const close = async () => {
    await page.close();
    expect(complaints).toEqual([]);
  };
  return { page, close };
}
