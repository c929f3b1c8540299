/**
 * Tests `model: 'auto'` on a machine without a GPU: in the library, in the element and in the demo.
 */
import { readFile } from 'node:fs/promises';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { dropOn, overflowing, status } from './demo-page.ts';
import { decode, encode, expected, expectSamePicture } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

const [BEST, FAST] = ['a2n-photo-x2', 'pan-photo-x2'];
const PHOTO = 'e2e/images/chelsea-24x20.png';

let site: Served;
let browser: Browser;
/** A picture of 520 x 300 pixels. With the best model, one thread needs well over 3 s for it. */
let large: number[];

beforeAll(async () => {
  site = await serveSources();
  browser = await launch({ webgpu: false });
  large = await encode(picture(520, 300));
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
});

it('the library takes the fast model for a large picture, and the best one for a part of it', async () => {
  const page = await browser.newPage();
  await page.goto(`${site.url}bare?backend=cpu`);
  await page.waitForFunction(() => window.crispen !== undefined);
  const found = await page.evaluate(
    async ([bytes, small]) => {
      const { crispen } = window;
      const upscaler = crispen.createUpscaler({ threads: 1 });
      const auto = { model: 'auto' };
      const [file, photo] = [crispen.bytes(bytes), crispen.bytes(small)];
      const region = { x: 3, y: 5, width: 20, height: 16 };
      // Short measurements vary on a busy machine, so this test takes several. They come before any
      // job, because a job would refine the estimate.
      const several = async (request: object) => [
        await upscaler.estimateCpu(520, 300, request),
        await upscaler.estimateCpu(520, 300, request),
        await upscaler.estimateCpu(520, 300, request),
      ];
      const estimates = [Math.min(...(await several(auto))), Math.max(...(await several({})))];
      const part = await crispen.attempt(upscaler, file, { ...auto, region });
      const whole = await crispen.attempt(upscaler, file, auto);
      const restored = await crispen.attempt(upscaler, photo, { ...auto, task: 'dejpeg' });
      const both = await crispen.attempt(upscaler, photo, { ...auto, task: 'dejpeg', scale: 2 });
      const six = await crispen.attempt(upscaler, photo, { ...auto, scale: 6 });
      const resized = await crispen.attempt(upscaler, photo, { ...auto, method: 'lanczos' });
      const usual = await crispen.attempt(upscaler, photo);
      const refusal = async (work: Promise<unknown>) =>
        work.then(() => null, crispen.failure).then((failure) => failure?.code);
      const codes = [
        await refusal(upscaler.addModel('auto')),
        await refusal(upscaler.preload('auto')),
      ];
      upscaler.destroy();
      return { part, whole, restored, both, six, resized, usual, estimates, codes };
    },
    [large, [...(await readFile(PHOTO))]] as const,
  );
  const passesOf = (outcome: typeof found.part) =>
    outcome.code === null ? outcome.passes : outcome;
  const autoOf = (outcome: typeof found.part) =>
    outcome.code === null ? outcome.diagnostics.auto : outcome;
  expect(found.part).toMatchObject({ passes: [BEST], model: BEST, width: 40, height: 32 });
  expect(autoOf(found.part)).toMatchObject({ speed: 'best', others: [FAST] });
  expect(found.whole).toMatchObject({ passes: [FAST], model: FAST, width: 1040, height: 600 });
  const { bestMs } = autoOf(found.whole) as { bestMs: number };
  expect(autoOf(found.whole)).toEqual({ speed: 'fast', bestMs, others: [BEST] });
  expect(bestMs).toBeGreaterThan(3000);
  expect(passesOf(found.restored)).toEqual(['a2n-jpeg-x1']);
  expect(passesOf(found.both)).toEqual(['a2n-jpeg-x1', BEST]);
  expect(passesOf(found.six)).toEqual([BEST, 'pan-photo-x3']);
  expect(autoOf(found.six)).toMatchObject({ others: [FAST, 'pan-photo-x3'] });
  expect(found.resized).toMatchObject({ passes: [], backend: 'lanczos' });
  expect(autoOf(found.resized)).toBeUndefined();
  expect(passesOf(found.usual)).toEqual([BEST]);
  expect(autoOf(found.usual)).toBeUndefined();
  // The estimate for `auto` is for the fast model, because that model would run.
  expect(found.estimates[0]).toBeLessThan(found.estimates[1] * 0.7);
  expect(found.codes).toEqual(['INVALID_INPUT', 'MODEL_UNKNOWN']);
  if (found.part.code !== null) throw new Error('no result');
  const { data } = await decode(large);
  const part = { width: 20, height: 16, data: new Uint8ClampedArray(20 * 16 * 4) };
  for (let y = 0; y < 16; y++) {
    const from = ((y + 5) * 520 + 3) * 4;
    part.data.set(data.subarray(from, from + 80), y * 80);
  }
  expectSamePicture(await decode(found.part.file), await expected(BEST, part));
  await page.close();
});

it('a choice can be cancelled, and the next picture works', async () => {
  const page = await browser.newPage();
  await page.goto(`${site.url}bare?backend=cpu`);
  await page.waitForFunction(() => window.crispen !== undefined);
  const outcome = await page.evaluate(async (bytes) => {
    const { crispen } = window;
    const upscaler = crispen.createUpscaler({ threads: 1 });
    const controller = new AbortController();
    const request = {
      model: 'auto',
      signal: controller.signal,
      // The first progress report comes after decoding and before the choice of a model.
      onProgress: () => controller.abort(),
    };
    const cancelled = await crispen.attempt(upscaler, crispen.bytes(bytes), request);
    const region = { x: 0, y: 0, width: 8, height: 8 };
    const next = await crispen.attempt(upscaler, crispen.bytes(bytes), { model: 'auto', region });
    upscaler.destroy();
    return [cancelled.code, next.code];
  }, large);
  expect(outcome).toEqual(['ABORTED', null]);
  await page.close();
});

it('the element says which model it was', async () => {
  const page = await browser.newPage();
  await page.goto(`${site.url}element?backend=cpu`);
  await page.waitForFunction(() => window.element !== undefined);
  const attributes = { src: `/${PHOTO}`, model: 'auto', width: '120', height: '100' };
  const made = await page.evaluate(async (given) => {
    const { add, get } = window.element;
    const details: unknown[] = [];
    document.addEventListener(
      'modelload',
      ({ detail }: Event & { detail?: unknown }) => details.push(detail),
      true,
    );
    const load = async (id: string, more: object) => {
      add(id, { ...given, 'base-url': '/public/models/', ...more });
      await new Promise((resolve) => get(id).addEventListener('load', resolve, { once: true }));
      const { passes, networkScale } = get(id).result ?? {};
      return { passes, networkScale };
    };
    return {
      photo: await load('photo', {}),
      thrice: await load('thrice', { scale: '3' }),
      clean: await load('clean', { task: 'clean' }),
      restored: await load('restored', { task: 'dejpeg', scale: '2' }),
      details,
    };
  }, attributes);
  expect(made.photo).toEqual({ passes: [BEST], networkScale: 2 });
  expect(made.thrice).toEqual({ passes: ['pan-photo-x3'], networkScale: 3 });
  expect(made.clean).toEqual({ passes: ['pan-x2'], networkScale: 2 });
  expect(made.restored).toEqual({ passes: ['a2n-jpeg-x1', BEST], networkScale: 2 });
  expect(made.details.slice(0, 3)).toMatchObject([
    { id: BEST, scale: 2 },
    { id: 'pan-photo-x3', scale: 3 },
    { id: 'pan-x2', scale: 2 },
  ]);
  await page.close();
});

it('the demo offers the other model in one click', async () => {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
  await page.goto(`${inject('siteUrl')}?backend=cpu`);
  const chosen = () => page.locator('#model input:checked').getAttribute('value');
  await expect.poll(chosen).toBe('auto');
  await dropOn(page, { name: 'large.png', bytes: await encode(picture(900, 600)) });
  await status(page, /^Done/);
  await page.getByText('Made by Photo (fast) on the CPU.').waitFor();
  const other = page.getByTestId('other');
  expect(await other.textContent()).toMatch(
    /Photo would take about \d+ (s|min) here\.\s+Make it with Photo\s*$/,
  );
  expect(await overflowing(page)).toEqual([]);
  // The offer is also shown in another language.
  await page.getByTestId('language').selectOption('de');
  await other.filter({ hasText: /Foto würde hier etwa \d+ (s|min) brauchen/ }).waitFor();
  await page.getByTestId('language').selectOption('en');

  await dropOn(page, { name: 'small.png', bytes: [...(await readFile(PHOTO))] });
  await page.getByText('Made by Photo on the CPU.').waitFor();
  await status(page, /^Done/);
  expect((await other.textContent())?.trim()).toBe('Make it with Photo (fast)');
  await page.getByTestId('make-other').click();
  await page.getByText('Made by Photo (fast) on the CPU.').waitFor();
  await status(page, /^Done/);
  expect(await chosen()).toBe(FAST);
  expect(await other.isVisible()).toBe(false);
  await page.close();
});
