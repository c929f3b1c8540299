import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { transform } from 'esbuild';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { launch } from './browser.ts';

const url = () => `${inject('siteUrl')}docs.html`;
let browser: Browser;

beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

/** Opens the page with an image that is small enough for the software adapter. */
async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> {
  const page = await browser.newPage(options);
  const small = await readFile('e2e/images/chelsea-24x20.png');
  await page.route('**/samples/eye.png', (route) =>
    route.fulfill({ contentType: 'image/png', body: small }),
  );
  await page.goto(url());
  await page.locator('[data-example] pre').first().waitFor();
  return page;
}

describe('the documentation', () => {
  it('runs every example that it shows', async () => {
    const page = await open();
    const [requests, complaints] = [[] as string[], [] as string[]];
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text())) complaints.push(message.text());
    });
    const examples = page.locator('[data-example]');
    expect(await examples.count()).toBe(4);
    for (const example of await examples.all()) {
      const name = await example.getAttribute('data-example');
      expect(await example.locator('pre').innerText()).toContain("from 'crispen");
      await example.getByRole('button', { name: 'Run' }).click();
      await example.and(page.locator('[data-state=done], [data-state=failed]')).waitFor();
      const output = example.locator('.output');
      expect([name, await example.getAttribute('data-state'), await output.innerText()]).toEqual([
        ...[name, 'done', expect.any(String)],
      ]);
      const made = output.locator('img, canvas');
      if (name === 'errors') expect(await output.innerText()).toMatch(/^DECODE_FAILED: /);
      else expect(await made.count()).toBe(1);
      if (name === 'upscale' || name === 'canvas') {
        const size = () =>
          made.evaluate((e: HTMLImageElement | HTMLCanvasElement) => [e.width, e.height]);
        await expect.poll(size).toEqual([48, 40]);
      }
    }
    expect(complaints).toEqual([]);
    const local = new RegExp(`^(data:|blob:|${inject('siteUrl')})`);
    expect(requests.filter((address) => !local.test(address))).toEqual([]);
    await page.close();
  });

  it('shows elements that work', async () => {
    const page = await open();
    const gallery = page.locator('crispen-image');
    expect(await gallery.count()).toBe(2);
    for (const element of await gallery.all()) {
      await element.scrollIntoViewIfNeeded();
      const state = () => element.evaluate((e) => (e as HTMLElement & { state: string }).state);
      await expect.poll(state, { timeout: 60_000 }).toBe('done');
    }
    const text = await page.locator('[data-gallery] + .listing pre').first().innerText();
    expect(text).toMatch(/^<crispen-image src=/);
    await page.close();
  });

  it.each([
    ['phone', 390, 844],
    ['desktop', 1280, 800],
  ])('fits a %s, with nothing serious for axe', async (name, width, height) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await open({ viewport: { width, height }, colorScheme });
      const beyond = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(beyond).toBe(0);
      const { CRISPEN_SHOTS: folder } = process.env;
      if (folder) {
        mkdirSync(folder, { recursive: true });
        await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png`, fullPage: true });
      }
      await page.evaluate(await readFile('node_modules/axe-core/axe.min.js', 'utf8'));
      const found = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: typeof import('axe-core') };
        const { violations } = await axe.run();
        return violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
      });
      expect(found).toEqual([]);
      await page.close();
    }
  });

  it.each(readdirSync('demo/docs/recipes'))('has a recipe that compiles: %s', async (file) => {
    const text = await readFile(`demo/docs/recipes/${file}`, 'utf8');
    const { code, warnings } = await transform(text, { loader: 'jsx', jsx: 'automatic' });
    expect(warnings).toEqual([]);
    expect(code.length).toBeGreaterThan(100);
  });

  it.each([
    [1440, 900],
    [390, 844],
  ])('at %d x %d: can be read without scripts, and nothing moves', async (width, height) => {
    const viewport = { width, height };
    const context = await browser.newContext({ viewport, javaScriptEnabled: false });
    const plain = await context.newPage();
    await plain.goto(url());
    expect(await plain.locator('.listing pre').count()).toBeGreaterThan(14);
    for (const text of ["from 'crispen'", "'use client'", 'compare vertical', 'max-pixels']) {
      await plain.getByText(text).first().waitFor();
    }
    await context.close();
    const page = await browser.newPage({ viewport });
    await page.addInitScript(() => {
      Object.assign(window, { moved: 0 });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
          (window as unknown as { moved: number }).moved += (
            entry as PerformanceEntry & { value: number }
          ).value;
        }
      }).observe({ type: 'layout-shift', buffered: true });
    });
    await page.goto(url(), { waitUntil: 'networkidle' });
    await page.locator('[data-gallery]').first().scrollIntoViewIfNeeded();
    await page.waitForTimeout(500);
    expect(await page.evaluate(() => (window as unknown as { moved: number }).moved)).toBeLessThan(
      0.02,
    );
    await page.close();
  });

  it('copies a listing as it stands', async () => {
    const page = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
    const listing = page.locator('.listing').filter({ hasText: "'use client'" });
    await listing.getByRole('button', { name: 'Copy' }).click();
    await listing.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toBe((await readFile('demo/docs/recipes/next.jsx', 'utf8')).trim());
    await page.close();
  });

  it('has an API reference made of the docstrings', async () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', '--only', 'api'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, expect.any(String)]);
    const page = await open();
    await page.getByRole('link', { name: 'API reference' }).click();
    await page
      .getByRole('link', { name: /createUpscaler|^index$/ })
      .first()
      .waitFor();
    await page.close();
  });
});
