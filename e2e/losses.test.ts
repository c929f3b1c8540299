/**
 * Makes the worker lose its GPU device at random moments during a tiled job. `CRISPEN_LOSSES=50 npx
 * vitest run --project e2e e2e/losses` tries 50 losses. The console shows a summary of the
 * outcomes.
 */
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compact } from '../src/networks/compact.ts';
import { writeSafetensors } from '../src/weights/writeSafetensors.ts';
import { randomStream } from '../test/random.ts';
import { seededImage, seededWeights } from '../test/seeded.ts';
import { launch } from './browser.ts';
import { encode } from './oracle.ts';
import type { Outcome } from './page.ts';
import { type Served, serveSources } from './server.ts';

const COUNT = Number(process.env.CRISPEN_LOSSES ?? 5);

let site: Served;
let browser: Browser;
let page: Page;
let photo: number[];
let model: string;

beforeAll(async () => {
  site = await serveSources();
  browser = await launch({ webgpu: true });
  page = await browser.newPage();
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  photo = [...(await encode(seededImage(40, 24, 3)))];
  const network = compact({ scale: 2, features: 8, blocks: 2 });
  const weights = [...writeSafetensors(seededWeights(network))];
  model = await page.evaluate(async (bytes) => {
    const { crispen } = window;
    const upscaler = crispen.createUpscaler({
      worker: () => new Worker('/e2e/lossy-worker.mjs', { type: 'module' }),
    });
    Object.assign(window, { upscaler });
    return (await upscaler.addModel(crispen.bytes(bytes), { name: 'tiny_x2' })).id;
  }, weights);
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

/** Runs a job in tiles. The device is lost before the submissions with these numbers. */
const job = (losses: readonly number[]) =>
  page.evaluate(
    async ([file, id, numbers]) => {
      const { crispen, upscaler } = window;
      const channel = new BroadcastChannel('lossy-worker');
      const ask = (question: object) =>
        new Promise<{ submissions: number; lost: number }>((resolve) => {
          channel.onmessage = ({ data }) => resolve(data);
          channel.postMessage(question);
        });
      await ask({ losses: numbers });
      const request = { model: id, tileSize: 8, output: 'image/png' } as const;
      const outcome = await crispen.attempt(upscaler, crispen.bytes(file), request);
      const told = await ask({});
      channel.close();
      return { outcome, ...told };
    },
    [photo, model, losses] as const,
  );

const fileOf = (outcome: Outcome): string =>
  outcome.code === null ? outcome.file.join() : `${outcome.code}: ${outcome.message}`;

it(`gives ${COUNT} right results at ${COUNT} losses`, { timeout: 1_800_000 }, async () => {
  await job([]); // uploads the model
  const { outcome: clean, submissions } = await job([]);
  expect(submissions).toBeGreaterThanOrEqual(15);
  const right = fileOf(clean);
  const random = randomStream(11);
  const counts = { right: 0, wrong: 0, lost: 0 };
  while (counts.lost < COUNT) {
    const { outcome, lost } = await job([Math.floor(random() * submissions)]);
    if (fileOf(outcome) !== right) counts.wrong++;
    else if (lost > 0) counts.right++;
    // A faster GPU gets fewer and larger submissions. The chosen submission might then never occur,
    // so no device is lost.
    counts.lost += lost;
    const recovered = lost > 0 ? ['device-lost'] : [];
    expect(outcome).toMatchObject({ code: null, diagnostics: { recovered } });
  }
  console.info(`losses in the worker: ${JSON.stringify(counts)}`);
  expect(counts).toEqual({ right: COUNT, wrong: 0, lost: COUNT });
});

it('ends in DEVICE_LOST after three losses in a row, and the next job is right', async () => {
  const { outcome: clean } = await job([]);
  const { outcome, lost } = await job([3, 4, 5]);
  expect(lost).toBe(3);
  expect(outcome).toMatchObject({ code: 'DEVICE_LOST' });
  const { outcome: next } = await job([]);
  expect(fileOf(next)).toBe(fileOf(clean));
});
