import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upscaleOnCpu } from '../src/engine/oracle/interpreter.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import { Reduction } from '../src/image/reduce.ts';
import { detect } from '../src/networks/detect.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { decode, encode, expectSamePicture } from './oracle.ts';
import { type Served, serveSources } from './server.ts';

/** With this budget, the images below are processed in several strips of several tiles each. */
const MEMORY_BUDGET = 3 * 2 ** 20;
const [WIDTH, HEIGHT] = [150, 110];

let site: Served;
let browser: Browser;
let page: Page;
let model: string;
let file: number[];
let wanted: Rgba8Image;

beforeAll(async () => {
  site = await serveSources();
  browser = await launch({ webgpu: true });
  page = await browser.newPage();
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  const checkpoint = tinyCheckpoint();
  const { network, weights } = detect(readSafetensors(checkpoint).tensors);
  const image = picture(WIDTH, HEIGHT);
  file = await encode(image);
  wanted = (await upscaleOnCpu(network, weights, image)).image;
  model = await page.evaluate(
    async ([bytes, memoryBudget]) => {
      const upscaler = window.crispen.createUpscaler({ memoryBudget });
      Object.assign(window, { upscaler });
      const { id } = await upscaler.addModel(window.crispen.bytes(bytes), { name: 'tiny' });
      return id;
    },
    [[...checkpoint], MEMORY_BUDGET] as const,
  );
});

afterAll(async () => {
  await browser.close();
  await site.close();
});

/**
 * Returns the names of all files in the page's private file system, except the library's folders.
 */
const listFiles = () =>
  page.evaluate(async () => {
    const names: string[] = [];
    for await (const [name, { kind }] of await navigator.storage.getDirectory()) {
      if (kind === 'file') names.push(name);
    }
    return names;
  });

describe('a result that is written as it is made', () => {
  it('goes to a file, which another decoder reads', async () => {
    const { image, width, height, bytes, diagnostics, fractions, content } = await page.evaluate(
      async ([source, id]) => {
        const root = await navigator.storage.getDirectory();
        const to = await root.getFileHandle('out.png', { create: true });
        const fractions: number[] = [];
        const result = await window.upscaler.upscale(window.crispen.bytes(source), {
          to,
          model: id,
          onProgress: ({ fraction }) => void fractions.push(fraction),
        });
        const content = [...new Uint8Array(await (await to.getFile()).arrayBuffer())];
        await root.removeEntry('out.png');
        return { ...result, fractions, content };
      },
      [file, model] as const,
    );
    expect({ image, width, height, bytes }).toEqual({
      image: null,
      width: WIDTH * 4,
      height: HEIGHT * 4,
      bytes: content.length,
    });
    expect(diagnostics.tiles).toBeGreaterThan(4);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expectSamePicture(await decode(content), wanted);
  });

  it('goes to a stream, and comes with a small picture of it', async () => {
    const { content, small } = await page.evaluate(
      async ([source, id]) => {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const [{ preview }, whole] = await Promise.all([
          window.upscaler.upscale(window.crispen.bytes(source), {
            to: writable,
            model: id,
            preview: 100,
          }),
          new Response(readable).arrayBuffer(),
        ]);
        const { upscaler } = window;
        const shown = await upscaler.encode(preview as ImageBitmap, { type: 'image/png' });
        return {
          content: [...new Uint8Array(whole)],
          small: [...new Uint8Array(await shown.arrayBuffer())],
        };
      },
      [file, model] as const,
    );
    expectSamePicture(await decode(content), wanted);
    const reduction = new Reduction(WIDTH * 4, HEIGHT * 4, 100);
    reduction.take(wanted.data);
    expectSamePicture(await decode(small), reduction.image);
  });

  it.each(['image/jpeg', 'image/webp'] as const)('can be %s', async (output) => {
    const content = await page.evaluate(
      async ([source, id, output]) => {
        const root = await navigator.storage.getDirectory();
        const to = await root.getFileHandle('out', { create: true });
        await window.upscaler.upscale(window.crispen.bytes(source), { to, model: id, output });
        const content = [...new Uint8Array(await (await to.getFile()).arrayBuffer())];
        await root.removeEntry('out');
        return content;
      },
      [file, model, output] as const,
    );
    const { format, width, height } = await sharp(Uint8Array.from(content)).metadata();
    expect([format, width, height]).toEqual([output.slice(6), WIDTH * 4, HEIGHT * 4]);
  });

  it('leaves no file behind when it is cancelled, and the next one works', async () => {
    const outcomes = await page.evaluate(
      async ([source, id]) => {
        const root = await navigator.storage.getDirectory();
        const to = await root.getFileHandle('cancelled.png', { create: true });
        const { attempt, bytes } = window.crispen;
        const controller = new AbortController();
        const cancelled = await attempt(window.upscaler, bytes(source), {
          to,
          model: id,
          signal: controller.signal,
          onProgress: ({ stage, fraction }) => {
            if (stage === 'upscale' && fraction > 0.5) controller.abort();
          },
        });
        const names: string[] = [];
        for await (const [name, { kind }] of root) if (kind === 'file') names.push(name);
        const next = await attempt(window.upscaler, bytes(source), {
          model: id,
          output: 'image/png',
        });
        return { cancelled, names, next };
      },
      [file, model] as const,
    );
    expect(outcomes.cancelled).toMatchObject({ code: 'ABORTED' });
    expect(outcomes.names).toEqual([]);
    expect(outcomes.next).toMatchObject({ code: null, width: WIDTH * 4 });
  });

  it('keeps what a file held when it is cancelled', async () => {
    const [code, text] = await page.evaluate(
      async ([source, id]) => {
        const root = await navigator.storage.getDirectory();
        const to = await root.getFileHandle('kept.png', { create: true });
        const writable = await to.createWritable();
        await writable.write('my only copy');
        await writable.close();
        const controller = new AbortController();
        const outcome = await window.crispen.attempt(
          ...([
            window.upscaler,
            window.crispen.bytes(source),
            {
              to,
              model: id,
              signal: controller.signal,
              onProgress: ({ stage }: { stage: string }) => {
                if (stage === 'upscale') controller.abort();
              },
            },
          ] as const),
        );
        const text = await (await to.getFile()).text();
        await root.removeEntry('kept.png');
        return [outcome.code, text];
      },
      [file, model] as const,
    );
    expect([code, text]).toEqual(['ABORTED', 'my only copy']);
  });

  it('fails as a whole when the place to write to does, or is none', async () => {
    const outcomes = await page.evaluate(
      async ([source, id]) => {
        const { attempt, bytes } = window.crispen;
        const broken = new WritableStream<Uint8Array>({
          write() {
            throw new Error('the line is dead');
          },
        });
        const root = await navigator.storage.getDirectory();
        const locked = new WritableStream<Uint8Array>();
        locked.getWriter();
        const targets = [broken, locked, root, 'photo.png'] as WritableStream<Uint8Array>[];
        return Promise.all(
          targets.map((to) => attempt(window.upscaler, bytes(source), { to, model: id })),
        );
      },
      [file, model] as const,
    );
    expect(outcomes.map(({ code }) => code)).toEqual([
      ...['WRITE_FAILED', 'INVALID_INPUT', 'INVALID_INPUT', 'INVALID_INPUT'],
    ]);
    expect(await listFiles()).toEqual([]);
  });

  it('gives a picture that cannot be read no file', async () => {
    const code = await page.evaluate(async (id) => {
      const root = await navigator.storage.getDirectory();
      const to = await root.getFileHandle('none.png', { create: true });
      const outcome = await window.crispen.attempt(
        ...([window.upscaler, window.crispen.bytes([1, 2, 3]), { to, model: id }] as const),
      );
      return outcome.code;
    }, model);
    expect(code).toBe('DECODE_FAILED');
    expect(await listFiles()).toEqual([]);
  });
});

describe('a large Blob', () => {
  /**
   * Saves data in a worker, because only workers have synchronous file handles. Returns the written
   * data and the existing files.
   */
  const spill = (fails: boolean) =>
    page.evaluate(async (fails) => {
      const worker = new Worker('/e2e/spill-worker.mjs', { type: 'module' });
      const parts = [60, 70, 80].map((length, i) => new Uint8Array(length).fill(i));
      const answer = await new Promise<Blob | string>((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage({ parts, fails });
      });
      const root = await navigator.storage.getDirectory();
      const names: string[] = [];
      const folder = await root.getDirectoryHandle('crispen-results');
      for await (const name of folder.keys()) names.push(name);
      const content =
        answer instanceof Blob ? [...new Uint8Array(await answer.arrayBuffer())] : null;
      worker.terminate();
      return { content, names, type: answer instanceof Blob ? answer.type : answer };
    }, fails);

  it('lies in a file that the next one removes when its worker is gone', async () => {
    const first = await spill(false);
    expect(first.type).toBe('image/png');
    expect(first.content).toEqual([60, 70, 80].flatMap((n, i) => new Array(n).fill(i)));
    expect(first.names).toHaveLength(1);
    const second = await spill(false);
    expect(second.names).toHaveLength(1);
    expect(second.names).not.toEqual(first.names);
    expect(await spill(true)).toEqual({ content: null, names: [], type: 'stop' });
  });
});
