/** Tests the newer shipped models in the library, the element, the demo and its inspector. */
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { layersOf, mapOf } from '../demo/inspector/maps.ts';
import { en } from '../demo/texts/en.ts';
import { attentionInput, attentionTaps, readAttention } from '../src/engine/oracle/attention.ts';
import { interpret } from '../src/engine/oracle/interpreter.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import { chooseModel } from '../src/node/model.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, status } from './demo-page.ts';
import { decode, expected, expectSamePicture } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

/**
 * For each model: how the demo lists it, and the layer and map that the test compares in the
 * inspector.
 */
const MODELS = [
  ['a2nm-x2', 'a2nm', null],
  ['a2nm-x4', 'a2nm', null],
  ['lcoan-x2', 'lcoan', ['shared', 'round-0']],
  ['acla-x2', 'acla', ['stage3', 'reference-1']],
  ['acla-denoise-x1', 'acla-denoise', ['stage3', 'reference-1']],
  ['asid-x2', 'asid', null],
] as const;

const BACKENDS = ['webgpu', 'cpu'] as const;

let site: Served;
let browser: Browser;
/** A photo of 16 x 12 pixels. It is small, because the software adapter is slow. */
let photo: number[];
let pixels: Rgba8Image;

beforeAll(async () => {
  [site, browser] = [await serveSources(), await launch({ webgpu: true })];
  const cut = { left: 4, top: 4, width: 16, height: 12 };
  photo = [...(await sharp('e2e/images/chelsea-24x20.png').extract(cut).png().toBuffer())];
  pixels = await decode(photo);
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
});

async function openOn(url: string, backend: string): Promise<Page> {
  const page = await browser.newPage({ serviceWorkers: 'block' });
  // On a busy machine, a software adapter needs more than the default 30 s to compile ASID.
  page.setDefaultTimeout(240_000);
  await page.goto(`${url}?backend=${backend}`);
  return page;
}

describe.each(MODELS)('%s', (id, kind, shown) => {
  /** The result that the plain loops compute in Node. */
  let wanted: Rgba8Image;
  let wantedMap: number[];
  beforeAll(async () => {
    wanted = await expected(id, pixels);
    if (!shown) return;
    const [name, choice] = shown;
    const { network, weights } = await chooseModel({ model: id });
    const taps = attentionTaps(network);
    const traced = await interpret(network, weights, attentionInput(network, pixels), taps);
    const layer = layersOf(readAttention(network, traced, pixels)).find((l) => l.name === name);
    wantedMap = Array.from((layer && mapOf(layer, choice)?.values) ?? []);
    expect(wantedMap).toHaveLength(16 * 12);
    expect(new Set(wantedMap).size).toBeGreaterThan(4);
  });

  it.each(BACKENDS)('in the library, on the backend %s', async (backend) => {
    const page = await openOn(`${site.url}bare`, backend);
    await page.waitForFunction(() => window.crispen !== undefined);
    const outcome = await page.evaluate(
      ([file, model]) => {
        const { crispen } = window;
        const upscaler = crispen.createUpscaler({ baseUrl: '/public/models/' });
        return crispen.attempt(upscaler, crispen.bytes(file), { model });
      },
      [photo, id] as const,
    );
    await page.close();
    if (outcome.code !== null) throw new Error(`${outcome.code}: ${outcome.message}`);
    expect(outcome).toMatchObject({ backend, model: id });
    expectSamePicture(await decode(outcome.file), wanted);
  });

  it.each(BACKENDS)('in the element, on the backend %s', async (backend) => {
    const page = await openOn(`${site.url}element`, backend);
    await page.waitForFunction(() => window.element !== undefined);
    await page.evaluate(
      ([file, model, width, height]) => {
        const src = URL.createObjectURL(new Blob([Uint8Array.from(file)]));
        const task: Record<string, string> = model.includes('denoise') ? { task: 'denoise' } : {};
        const from = { src, model, 'base-url': '/public/models/' };
        window.element.add('e', { ...from, ...task, width, height, alt: 'A cat' });
      },
      [photo, id, String(wanted.width), String(wanted.height)] as const,
    );
    await page.waitForFunction(() => /done|failed|skipped/.test(window.element.get('e').state));
    expect(await page.evaluate(() => window.element.log)).toContain('e load');
    const made = await page.evaluate(() => window.element.bytes('e'));
    await page.close();
    expectSamePicture(await decode(made), wanted);
  });

  it.each(BACKENDS)('in the demo and its inspector, on the backend %s', async (backend) => {
    const page = await openOn(inject('siteUrl'), backend);
    const choose = (name: string) => page.getByRole('radio', { name }).check();
    if (id.endsWith('x1')) await choose('Remove noise');
    if (id.endsWith('x4')) await choose('4×');
    await choose(en.kinds[kind].title);
    await dropOn(page, { name: 'cat.png', bytes: photo });
    await status(page, /^Done/);
    expectSamePicture(await decode((await downloadBy(page, 'download-png')).bytes), wanted);
    if (shown) {
      const [layer, choice] = shown;
      await page.getByTestId('inspect').click();
      if (layer === 'stage3') {
        await page.getByRole('dialog').locator('.bar-of').nth(3).click();
        await page.getByTestId('inspector-map').selectOption(choice);
      }
      const { bytes } = await downloadBy(page, 'inspector-json');
      const found = JSON.parse(new TextDecoder().decode(bytes));
      expect(found).toMatchObject({ model: id, map: { layer, choice } });
      const apart = wantedMap.filter((value, i) => Math.abs(value - found.map.values[i]) > 2e-4);
      // Rounding can assign a pixel to another cluster.
      expect(apart.length).toBeLessThanOrEqual(layer === 'shared' ? 1 : 0);
    }
    await page.close();
  });
});
