import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { type Served, serveSources } from './server.ts';

/**
 * With `CRISPEN_LARGE=1`, 24 megapixels are enlarged to 16 times as many, which takes most of an
 * hour on a software adapter.
 */
const IS_LARGE = process.env.CRISPEN_LARGE === '1';
const [WIDTH, HEIGHT] = IS_LARGE ? [6000, 4000] : [600, 400];
const HOURS = 3_600_000;

let site: Served;
let folder: string;

beforeAll(async () => {
  site = await serveSources();
  folder = await mkdtemp(join(tmpdir(), 'crispen-large-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await site.close();
});

/** Returns the ids of all descendants of this process. */
async function descendants(): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isOurs = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent === process.pid || (parent !== undefined && parent > 1 && isOurs(parent));
  };
  return [...parents.keys()].filter(isOurs);
}

/** Returns the browser processes' total proportional set size, in bytes. */
async function browserMemory(): Promise<number> {
  let kilobytes = 0;
  for (const pid of await descendants()) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

it.skipIf(process.platform !== 'linux')(
  `enlarges ${WIDTH} x ${HEIGHT} by four in bounded memory`,
  async () => {
    const { data } = picture(WIDTH, HEIGHT);
    const raw = { width: WIDTH, height: HEIGHT, channels: 4 as const };
    const source = await sharp(data, { raw }).removeAlpha().png().toBuffer();
    const browser = await launch({ webgpu: true });
    const page = await browser.newPage();
    await page.goto(`${site.url}bare`);
    await page.waitForFunction(() => window.crispen !== undefined);
    await page.route('**/large.png', (route) =>
      route.fulfill({ body: source, contentType: 'image/png' }),
    );
    const before = await browserMemory();
    let peak = 0;
    let isDone = false;
    const watching = (async () => {
      while (!isDone) {
        peak = Math.max(peak, await browserMemory());
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    })();
    const made = page.evaluate(
      async (checkpoint) => {
        const { bytes, createUpscaler } = window.crispen;
        const upscaler = createUpscaler({ memoryBudget: 2 ** 27 });
        const { id } = await upscaler.addModel(bytes(checkpoint), { name: 'tiny' });
        const root = await navigator.storage.getDirectory();
        const to = await root.getFileHandle('large.png', { create: true });
        const fractions: number[] = [];
        const result = await upscaler.upscale('/large.png', {
          to,
          model: id,
          onProgress: ({ fraction }) => void fractions.push(fraction),
        });
        return {
          ...result,
          isMonotonic: fractions.every((f, i) => i === 0 || f >= fractions[i - 1]),
        };
      },
      [...tinyCheckpoint()],
    );
    const result = await made.finally(() => {
      isDone = true;
    });
    await watching;
    const megabytes = Math.round(peak / 1e6);
    const seconds = Math.round(result.diagnostics.milliseconds / 1000);
    console.info(`${megabytes} MB at most (${Math.round(before / 1e6)} before), ${seconds} s`);
    expect(result).toMatchObject({ width: WIDTH * 4, height: HEIGHT * 4, isMonotonic: true });
    expect(peak).toBeLessThan(1.5e9);

    const path = join(folder, 'large.png');
    await page.exposeFunction('keep', (part: string) => appendFile(path, part, 'base64'));
    await page.evaluate(async () => {
      const root = await navigator.storage.getDirectory();
      const file = await (await root.getFileHandle('large.png')).getFile();
      for (let at = 0; at < file.size; at += 3 * 2 ** 20) {
        const bytes = new Uint8Array(await file.slice(at, at + 3 * 2 ** 20).arrayBuffer());
        let text = '';
        for (let i = 0; i < bytes.length; i += 4096)
          text += String.fromCharCode(...bytes.subarray(i, i + 4096));
        await (window as unknown as { keep(part: string): Promise<void> }).keep(btoa(text));
      }
    });
    await browser.close();
    const open = () => sharp(path, { limitInputPixels: false, sequentialRead: true });
    const { format, width, height, channels } = await open().metadata();
    expect({ format, width, height, channels }).toEqual({
      format: 'png',
      width: WIDTH * 4,
      height: HEIGHT * 4,
      channels: 3,
    });
    // Computing the statistics decodes every row. The network's output is close to a
    // nearest-neighbour enlargement of the image.
    const stats = await open().stats();
    const wanted = await sharp(data, { raw }).stats();
    stats.channels.forEach(({ mean }, c) => {
      expect(Math.abs(mean - wanted.channels[c].mean)).toBeLessThan(40);
    });
  },
  IS_LARGE ? 2 * HOURS : 300_000,
);
