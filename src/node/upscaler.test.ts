import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { tinyCheckpoint } from '../../test/checkpoints/tiny.ts';
import { createUpscaler, type NodeSource, type NodeUpscaler } from './upscaler.ts';

let folder: string;
let upscaler: NodeUpscaler;
let file: Uint8Array<ArrayBuffer>;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-node-'));
  await writeFile(at('tiny-x2.safetensors'), tinyCheckpoint(2));
  const [width, height] = [9, 7];
  const data = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (i * 41) % 256));
  await sharp(data, { raw: { width, height, channels: 3 } }).toFile(at('in.png'));
  file = new Uint8Array(await readFile(at('in.png')));
  upscaler = await createUpscaler({
    backend: 'cpu',
    threads: 2,
    weights: at('tiny-x2.safetensors'),
  });
});
afterAll(async () => {
  await upscaler.close();
  await rm(folder, { recursive: true });
});

describe('crispen/node', () => {
  const sources: [string, () => NodeSource][] = [
    ['a path', () => at('in.png')],
    ['a file: URL', () => pathToFileURL(at('in.png'))],
    ['bytes', () => file],
    ['a Buffer', () => Buffer.from(file)],
    ['an ArrayBuffer', () => file.buffer],
    ['a Blob', () => new Blob([file])],
    ["a stream of Node's", () => createReadStream(at('in.png'), { highWaterMark: 50 })],
    ['a stream of the web', () => new Blob([file]).stream()],
  ];
  test.each(sources)('takes %s', async (_, source) => {
    const { data, info } = await upscaler.upscale(source());
    expect(info).toMatchObject({ width: 18, height: 14, format: 'png', backend: 'cpu', scale: 2 });
    expect(info).toMatchObject({ models: ['tiny-x2'], adapter: null, precision: 'f32' });
    expect(info.bytes).toBe(data.length);
    const first = await upscaler.upscale(file);
    expect(data).toEqual(first.data);
    expect(await sharp(data).metadata()).toMatchObject({ width: 18, height: 14 });
  });

  it('writes files, in the format of their name', async () => {
    const result = await upscaler.upscale(file, { to: at('out.webp'), scale: 3, quality: 80 });
    expect(result).not.toHaveProperty('data');
    expect(result.info).toMatchObject({ width: 27, height: 21, format: 'webp', scale: 3 });
    const written = await readFile(at('out.webp'));
    expect(written.length).toBe(result.info.bytes);
    expect(await sharp(written).metadata()).toMatchObject({ width: 27, height: 21 });
  });

  it('gives the same pixels for several pictures at once as one by one', async () => {
    const wishes = [{ scale: 2 }, { width: 40 }, { scale: 2, method: 'lanczos' as const }];
    const alone = [];
    for (const wish of wishes) alone.push((await upscaler.upscale(file, wish)).data);
    const together = await Promise.all(wishes.map((wish) => upscaler.upscale(file, wish)));
    expect(together.map(({ data }) => data)).toEqual(alone);
    expect(alone[0]).not.toEqual(alone[2]);
  });

  it('reports progress and can be cancelled; the next picture works', async () => {
    const seen: number[] = [];
    await upscaler.upscale(file, { onProgress: ({ fraction }) => seen.push(fraction) });
    expect(seen.at(-1)).toBe(1);
    const stop = new AbortController();
    const work = upscaler.upscale(file, { signal: stop.signal });
    stop.abort();
    await expect(work).rejects.toMatchObject({ code: 'ABORTED', name: 'AbortError' });
    await expect(upscaler.upscale(file, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect((await upscaler.upscale(file)).info.width).toBe(18);
  });

  test.each([
    ['an unknown option', { sise: 2 }, 'INVALID_INPUT'],
    ['two sizes', { scale: 2, width: 9 }, 'INVALID_INPUT'],
    ['a factor beyond 16', { scale: 17 }, 'INVALID_INPUT'],
    ['an unknown format', { format: 'xyz' }, 'INVALID_INPUT'],
    ['a task of another model', { task: 'denoise', method: 'lanczos' }, 'INVALID_INPUT'],
    ['a missing folder', { to: '/nowhere/at/all.png' }, 'INVALID_INPUT'],
    ['a name without format', { to: 'result.xyz' }, 'ENCODE_FAILED'],
  ])('refuses %s', async (_, request, code) => {
    await expect(upscaler.upscale(file, request as object)).rejects.toMatchObject({ code });
  });

  test.each([
    ['nothing', undefined, 'INVALID_INPUT'],
    ['a number', 5, 'INVALID_INPUT'],
    ['an address', new URL('https://example.org/a.png'), 'INVALID_INPUT'],
    ['a missing file', 'nothing.png', 'INVALID_INPUT'],
    ['no picture', new Uint8Array([1, 2, 3]), 'DECODE_FAILED'],
    ['an empty file', new Uint8Array(0), 'DECODE_FAILED'],
    [
      'a stream of text',
      new Blob(['x']).stream().pipeThrough(new TextDecoderStream()),
      'INVALID_INPUT',
    ],
  ])('refuses %s as source', async (_, source, code) => {
    await expect(upscaler.upscale(source as never)).rejects.toMatchObject({ code });
    expect((await upscaler.upscale(file)).info.width).toBe(18);
  });

  test.each([
    ['a wrong backend', { backend: 'gpu' }],
    ['an unknown option', { device: 'cpu' }],
    ['no threads', { threads: 0 }],
  ])('createUpscaler refuses %s', async (_, options) => {
    await expect(createUpscaler(options as object)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  it('closes: running work ends, and new work is refused', async () => {
    const other = await createUpscaler({
      backend: 'cpu',
      threads: 1,
      weights: at('tiny-x2.safetensors'),
    });
    const work = other.upscale(file).then(
      () => 'done',
      ({ code }) => code,
    );
    await other.close();
    expect(['done', 'ABORTED']).toContain(await work);
    await expect(other.upscale(file)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('sets no globals of a page', () => {
    for (const name of ['document', 'window', 'self', 'ImageData', 'HTMLElement']) {
      expect(globalThis).not.toHaveProperty(name);
    }
  });
});
