/** Opens a page in Chromium for runs with many jobs. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright';
import { launch } from '../../e2e/browser.ts';
import { encode } from '../../e2e/oracle.ts';
import { serveSources } from '../../e2e/server.ts';
import { tinyCheckpoint } from '../checkpoints/tiny.ts';
import { picture } from '../pictures.ts';

export interface Live {
  readonly devices: number;
  readonly buffers: number;
  readonly bytes: number;
  readonly textures: number;
  readonly unhandled: readonly string[];
}

export interface OpenPage {
  readonly page: Page;
  /** Returns the errors that were not handled in the page and its workers since the last call. */
  unhandled(): Promise<string[]>;
  /** Returns the GPU resources that the workers hold. */
  live(): Promise<Omit<Live, 'unhandled'>>;
  /**
   * Returns the memory use in bytes, after a garbage collection: of the page's heap, and of the
   * process that runs the page and its workers.
   */
  memory(): Promise<{ readonly heap: number; readonly process: number }>;
  close(): Promise<void>;
}

/** The sizes of the images. The largest image is cut into tiles. */
export const IMAGES = [
  [12, 10],
  [9, 13],
  [20, 16],
] as const;

/**
 * Opens the page and sets `window.models`, the ids of two networks, and `window.images`, which are
 * files.
 */
export async function openEndurance(): Promise<OpenPage> {
  const site = await serveSources();
  const browser = await launch({ webgpu: true });
  const page = await browser.newPage();
  const loose: string[] = [];
  page.on('pageerror', (error) => loose.push(`page: ${error.message}`));
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  const models = [2, 3].map((scale) => [...tinyCheckpoint(scale)]);
  const images = await Promise.all(IMAGES.map(([w, h]) => encode(picture(w, h))));
  await page.evaluate(
    async ([models, images]) => {
      const { crispen } = window;
      const create = () =>
        crispen.createUpscaler({
          worker: () => new Worker('/e2e/watched-worker.mjs', { type: 'module' }),
        });
      const upscaler = create();
      const ids: string[] = [];
      for (const [i, bytes] of models.entries()) {
        const name = `tiny-${i}.safetensors`;
        ids.push((await upscaler.addModel(crispen.bytes(bytes), { name })).id);
      }
      Object.assign(window, {
        create,
        upscaler,
        models: ids,
        images: images.map((bytes) => crispen.bytes(bytes, 'image/png')),
      });
    },
    [models, images] as const,
  );
  const client = await page.context().newCDPSession(page);
  const ofWorkers = async (): Promise<Live[]> => {
    const found = page.workers().map((worker) =>
      worker
        // A worker can end in the meantime.
        .evaluate(() => (globalThis as unknown as { live?: () => Live }).live?.() ?? null)
        .catch(() => null),
    );
    return (await Promise.all(found)).filter((one) => one !== null);
  };
  return {
    page,
    async unhandled() {
      const inWorkers = (await ofWorkers()).flatMap((one) => one.unhandled);
      return [...loose.splice(0), ...inWorkers.map((text) => `worker: ${text}`)];
    },
    async live() {
      const all = await ofWorkers();
      loose.push(...all.flatMap((one) => one.unhandled.map((text) => `worker: ${text}`)));
      const sum = (key: 'devices' | 'buffers' | 'bytes' | 'textures') =>
        all.reduce((total, one) => total + one[key], 0);
      return {
        devices: sum('devices'),
        buffers: sum('buffers'),
        bytes: sum('bytes'),
        textures: sum('textures'),
      };
    },
    async memory() {
      await client.send('HeapProfiler.collectGarbage');
      const { usedSize } = await client.send('Runtime.getHeapUsage');
      return { heap: usedSize, process: await rendererBytes(browser) };
    },
    async close() {
      await browser.close();
      await site.close();
    },
  };
}

/**
 * Returns the largest renderer process's resident memory in bytes. On platforms other than Linux,
 * returns 0.
 */
async function rendererBytes(browser: Browser): Promise<number> {
  const client = await browser.newBrowserCDPSession();
  const { processInfo } = await client.send('SystemInfo.getProcessInfo');
  await client.detach();
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => {
      try {
        const status = readFileSync(`/proc/${id}/status`, 'utf8');
        return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
      } catch {
        return 0;
      }
    });
  return sizes.reduce((most, size) => Math.max(most, size), 0);
}

declare global {
  interface Window {
    create: () => import('../../src/index.ts').Upscaler;
    models: string[];
    images: Blob[];
  }
}
