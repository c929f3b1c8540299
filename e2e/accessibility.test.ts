/** Checks that axe finds no serious violations on any page in either colour scheme. */
import type { Browser } from 'playwright';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { violations } from './axe.ts';
import { launch } from './browser.ts';
import { type Served, serveSources } from './server.ts';

let browser: Browser;
let site: Served;

beforeAll(async () => {
  browser = await launch({ webgpu: true });
  site = await serveSources();
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

describe.each(['light', 'dark'] as const)('in a %s scheme, nothing serious', (colorScheme) => {
  it('on the demo', async () => {
    const page = await browser.newPage({ colorScheme });
    await page.goto(`${inject('siteUrl')}?backend=webgpu`);
    await page.getByTestId('status').filter({ hasText: 'Ready' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.close();
  });

  it('on a page with elements', async () => {
    const page = await browser.newPage({ colorScheme });
    await page.goto(`${site.url}element`);
    await page.waitForFunction(() => window.element !== undefined);
    await page.evaluate(() => {
      const src = '/e2e/images/chelsea-24x20.png';
      const model = '/test/checkpoints/compact_x2_params_views_zip.pth';
      const image = { src, alt: 'A cat', width: '96', height: '80' };
      window.element.add('plain', { model, ...image });
      window.element.add('compare', { model, compare: '' }, image);
      window.element.add('failed', { ...image, model: 'a3n' });
    });
    for (const [id, state] of [
      ['plain', 'done'],
      ['compare', 'done'],
      ['failed', 'failed'],
    ] as const) {
      await page.waitForFunction(([a, b]) => window.element.get(a).state === b, [
        id,
        state,
      ] as const);
    }
    expect(await violations(page)).toEqual([]);
    await page.close();
  });
});
