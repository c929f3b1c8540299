import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findModel } from '../src/catalog/files.ts';
import { shippedModel } from '../src/catalog/network.ts';
import { cropTo } from '../src/cli/dataset.ts';
import { attentionInput, attentionTaps, readAttention } from '../src/engine/oracle/attention.ts';
import { interpret } from '../src/engine/oracle/interpreter.ts';
import type { Size } from '../src/geometry.ts';
import type { InspectOptions } from '../src/index.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';
import { launch } from './browser.ts';
import { decode } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

const PHOTO = 'e2e/images/chelsea-24x20.png';

let site: Served;
beforeAll(async () => {
  site = await serveSources();
});
afterAll(() => site.close());

/** Computes the attention for the photo, or for its top left part, with the plain loops in Node. */
async function expected(model: string, size?: Size) {
  const entry = findModel(model);
  const { tensors } = readSafetensors(await readFile(`public/models/${entry.file}`));
  const { network, weights } = await shippedModel(entry, tensors);
  const whole = await decode(await readFile(PHOTO));
  const image = size ? cropTo(whole, size.width, size.height) : whole;
  const traced = await interpret(
    network,
    weights,
    attentionInput(network, image),
    attentionTaps(network),
  );
  return readAttention(network, traced, image);
}

function worst(actual: readonly number[], wanted: ArrayLike<number>): number {
  expect(actual).toHaveLength(wanted.length);
  return actual.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0);
}

describe.each(['webgpu', 'cpu'] as const)('on the backend %s', (backend) => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await launch({ webgpu: backend === 'webgpu' });
    page = await browser.newPage();
    await page.goto(`${site.url}bare`);
    await page.waitForFunction(() => window.crispen !== undefined);
    await page.evaluate((choice) => {
      Object.assign(window, { upscaler: window.crispen.createUpscaler({ backend: choice }) });
    }, backend);
  });
  afterAll(() => browser.close());

  async function inspect(options: Omit<InspectOptions, 'signal' | 'onProgress'>) {
    const bytes = [...(await readFile(PHOTO))];
    return page.evaluate(
      async ([file, request]) => {
        const { crispen, upscaler } = window;
        const stages = new Set<string>();
        try {
          const found = await upscaler.inspect(crispen.bytes(file), {
            ...request,
            onProgress: ({ stage }) => stages.add(stage),
          });
          const blocks = found.blocks.map(({ name, branches, attention, enhanced }) => ({
            name,
            branches,
            size: attention && [attention.channels, attention.width, attention.height],
            attention: attention && [...attention.data],
            enhanced: enhanced?.channel,
          }));
          const clusters = found.clusters.map((part) => ({
            ...part,
            codes: [...part.codes],
            neighbours: [...part.neighbours],
            weights: [...part.weights],
          }));
          const keys = found.keys.map((part) => ({
            ...part,
            weights: [...part.weights],
            offsets: [...part.offsets],
            gates: part.gates && [...part.gates],
          }));
          return { ...found, blocks, clusters, keys, stages: [...stages], code: null };
        } catch (error) {
          return { ...crispen.failure(error), blocks: [], clusters: [], keys: [] };
        }
      },
      [bytes, options] as const,
    );
  }

  it('gives the branch weights and the attention of every block', async () => {
    const found = await inspect({ model: 'a2n-photo-x2' });
    expect(found).toMatchObject({
      code: null,
      model: 'a2n-photo-x2',
      architecture: 'a2n',
      scale: 2,
      backend,
      width: 24,
      height: 20,
      reduction: 1,
      region: { x: 0, y: 0, width: 24, height: 20 },
      stages: ['decode', 'download', 'upscale'],
    });
    const wanted = await expected('a2n-photo-x2');
    expect(found.blocks.map(({ name }) => name)).toEqual(wanted.blocks.map(({ name }) => name));
    expect(found.blocks).toHaveLength(17);
    for (const [i, block] of wanted.blocks.entries()) {
      const { branches, attention, size } = found.blocks[i];
      if (block.branches) expect(worst([...(branches ?? [])], block.branches)).toBeLessThan(2e-4);
      expect(worst(attention ?? [], block.attention?.data ?? [])).toBeLessThan(2e-4);
      const side = block.name === 'up1' ? 2 : 1;
      expect(size).toEqual([side === 2 ? 24 : 40, 24 * side, 20 * side]);
    }
  });

  it('inspects a part, or the whole reduced, and networks with a gate alone', async () => {
    const part = { x: 3, y: 2, width: 16, height: 18 };
    const found = await inspect({ scale: 3, region: part });
    expect(found).toMatchObject({ code: null, width: 16, height: 18, region: part, reduction: 1 });
    expect(found.blocks[0].branches).toBeNull();
    const small = await inspect({ maxPixels: 256 });
    expect(small).toMatchObject({ code: null, width: 12, height: 10, reduction: 2 });
    expect(small.blocks[0].size).toEqual([40, 12, 10]);
  });

  it('says that a region is outside, and works again', async () => {
    const outside = await inspect({ region: { x: 20, y: 0, width: 5, height: 5 } });
    expect(outside).toMatchObject({
      code: 'INVALID_INPUT',
      hint: expect.stringContaining('24 x 20'),
    });
    expect(await inspect({ model: 'a2n-jpeg-x1' })).toMatchObject({ code: null, scale: 1 });
  });

  it('gives the clusters of LCoAN, and what each pixel attends to', async () => {
    const found = await inspect({
      model: 'lcoan-x2',
      region: { x: 0, y: 0, width: 12, height: 10 },
    });
    expect(found).toMatchObject({ code: null, architecture: 'lcoan', blocks: [] });
    const [clusters] = found.clusters;
    expect(clusters).toMatchObject({ name: 'shared', rounds: 1, width: 12, height: 10, count: 32 });
    expect(clusters.codes).toHaveLength(120);
    expect(Math.max(...clusters.codes)).toBeLessThan(clusters.clusters);
    const weights = clusters.weights.slice(0, 32);
    expect(weights).toEqual([...weights].sort((a, b) => b - a));
    expect(weights[0]).toBeGreaterThan(0);
    expect(weights.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(1 + 1e-4);
  });

  it.each(['acla-x2', 'acla-denoise-x1'])('gives the keys and gates of %s', async (model) => {
    const region = { x: 0, y: 0, width: 12, height: 10 };
    const found = await inspect({ model, region });
    expect(found).toMatchObject({ code: null, architecture: 'edsr-acla', clusters: [] });
    const wanted = await expected(model, region);
    expect(found.keys.map(({ name }) => name)).toEqual(wanted.keys.map(({ name }) => name));
    expect(wanted.keys.length).toBeGreaterThan(0);
    for (const [i, keys] of wanted.keys.entries()) {
      const { weights, offsets, gates, references } = found.keys[i];
      expect(references).toEqual(keys.references);
      expect(worst(weights, keys.weights)).toBeLessThan(2e-4);
      // The trained network places some keys away from the pixel that attends to them.
      expect(Math.max(...offsets.map(Math.abs))).toBeGreaterThan(0.5);
      expect(worst(offsets, keys.offsets)).toBeLessThan(1e-2);
      expect(worst(gates ?? [], keys.gates ?? [])).toBeLessThan(2e-4);
    }
  });

  it('stops when it is told to', async () => {
    const code = await page.evaluate(
      async (file) => {
        const { crispen, upscaler } = window;
        const controller = new AbortController();
        const work = upscaler.inspect(crispen.bytes(file), {
          signal: controller.signal,
          onProgress: () => controller.abort(),
        });
        return work.then(
          () => 'finished',
          (error) => crispen.failure(error).code,
        );
      },
      [...(await readFile(PHOTO))],
    );
    expect(code).toBe('ABORTED');
  });
});
