/**
 * Tests hostile URLs, weights from other sites, and the absence of features that other browsers
 * lack or forbid.
 */
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { encode } from './oracle.ts';
import { type Served, serveForeign, serveSources } from './server.ts';

const WEIGHTS = Buffer.from(tinyCheckpoint());
const INTEGRITY = `sha256-${createHash('sha256').update(WEIGHTS).digest('base64')}`;

let site: Served;
let foreign: Served;
let browser: Browser;
let page: Page;
let file: number[];
/** The number of bytes that the other site has sent for each of its endless files. */
const sent = new Map<string, number>();

/** The first bytes of each endless file. */
const STARTS: Readonly<Record<string, Buffer>> = {
  '/noise': Buffer.from([1, 2, 3, 4]),
  '/turning': Buffer.from([1, 2, 3, 4]),
  '/page': Buffer.from('<!doctype html><title>Not found</title>'.padEnd(1024)),
  '/video': Buffer.from('\0\0\0\x18ftypmp42', 'latin1'),
  '/huge': Buffer.from('BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0\0\0\0\0\x40\0\0\0\x40\0', 'latin1'),
};

function endless(path: string, response: ServerResponse): void {
  const part = Buffer.alloc(2 ** 20);
  const more = () => {
    if (response.destroyed) return;
    sent.set(path, (sent.get(path) ?? 0) + part.length);
    response.write(part, () => setImmediate(more));
  };
  response.write(STARTS[path]);
  more();
}

beforeAll(async () => {
  site = await serveSources();
  foreign = await serveForeign((request, response) => {
    const path = request.url ?? '';
    response.setHeader('access-control-allow-origin', '*');
    // The first request gets a picture, which the page shows. Later requests get an endless file.
    if (path === '/turning' && !sent.has(path)) {
      sent.set(path, 0);
      response.setHeader('cache-control', 'no-store');
      response.end(Buffer.from(file));
    } else if (path in STARTS) endless(path, response);
    else response.end(WEIGHTS);
  });
  browser = await launch({ webgpu: false });
  page = await openPage(`${site.url}bare`);
  file = await encode(picture(24, 20));
});

afterAll(async () => {
  await browser.close();
  await foreign.close();
  await site.close();
});

async function openPage(url: string): Promise<Page> {
  const opened = await browser.newPage();
  await opened.goto(url);
  await opened.waitForFunction(() => window.crispen !== undefined);
  await opened.evaluate(() => {
    Object.assign(window, { upscaler: window.crispen.createUpscaler() });
  });
  return opened;
}

const resize = (on: Page, source: string | number[]) =>
  on.evaluate((given) => {
    const image = typeof given === 'string' ? given : window.crispen.bytes(given);
    const options = { method: 'lanczos', scale: 2, output: 'image/png' } as const;
    return window.crispen.attempt(window.upscaler, image, options);
  }, source);

describe('endless files at addresses', () => {
  it.each([
    ['/page', 'DECODE_FAILED'],
    ['/video', 'DECODE_FAILED'],
    ['/huge', 'IMAGE_TOO_LARGE'],
    ['/noise', 'IMAGE_TOO_LARGE'],
  ])('an image that begins as %s', async (path, code) => {
    expect(await resize(page, new URL(path, foreign.url).href)).toMatchObject({ code });
    expect(sent.get(path)).toBeLessThan(64 * 2 ** 20);
    expect(await resize(page, file)).toMatchObject({ code: null, width: 48 });
  });

  it('an image of the element that is another one when a script asks for it', async () => {
    const other = await browser.newPage();
    await other.goto(`${site.url}element?backend=auto`);
    const outcome = await other.evaluate((src) => {
      document.body.innerHTML = `<crispen-image loading="eager" crossorigin="anonymous" src="${src}" width="100" height="80"></crispen-image>`;
      const element = document.querySelector('crispen-image') as HTMLElement;
      return new Promise<string>((resolve) => {
        element.addEventListener('load', () => resolve('done'));
        element.addEventListener('error', (event) =>
          resolve((event as unknown as CustomEvent).detail?.code),
        );
      });
    }, new URL('/turning', foreign.url).href);
    await other.close();
    expect(outcome).toBe('done');
    expect(sent.get('/turning')).toBeGreaterThan(0);
    expect(sent.get('/turning')).toBeLessThan(64 * 2 ** 20);
  });

  it('weights', async () => {
    const outcome = await page.evaluate(
      (url) => window.upscaler.addModel(url).then(() => null, window.crispen.failure),
      new URL('/noise', foreign.url).href,
    );
    expect(outcome).toMatchObject({ code: 'MODEL_UNSUPPORTED' });
  });
});

describe('a stream where streams cannot be transferred', () => {
  const write = (on: Page, failing: boolean) =>
    on.evaluate(
      async ([bytes, failing]) => {
        const parts: Uint8Array<ArrayBuffer>[] = [];
        const ends: string[] = [];
        const to = new WritableStream<Uint8Array<ArrayBuffer>>({
          write(part) {
            if (failing) throw new DOMException('full', 'QuotaExceededError');
            parts.push(part);
          },
          close: () => void ends.push('close'),
          abort: () => void ends.push('abort'),
        });
        const image = window.crispen.bytes(bytes);
        const request = { method: 'lanczos', scale: 2, to } as const;
        const code = await window.upscaler.upscale(image, request).then(
          ({ bytes }) => bytes,
          (error) => error.code,
        );
        const blob = new Blob(parts);
        const width = blob.size > 0 ? (await createImageBitmap(blob)).width : 0;
        return { code, size: blob.size, width, ends };
      },
      [file, failing] as const,
    );

  it('is written by the page', async () => {
    const other = await browser.newPage();
    // This code imitates Safari, which cannot transfer streams.
    await other.addInitScript(() => {
      const isStream = (value: unknown) => value instanceof WritableStream;
      const clone = structuredClone;
      window.structuredClone = (value, options) => {
        if (options?.transfer?.some(isStream)) throw new DOMException('', 'DataCloneError');
        return clone(value, options);
      };
      const post = Worker.prototype.postMessage;
      Worker.prototype.postMessage = function (message, transfer) {
        if (Array.isArray(transfer) && transfer.some(isStream)) {
          throw new DOMException('', 'DataCloneError');
        }
        (post as (message: unknown, transfer: unknown) => void).call(this, message, transfer);
      };
    });
    await other.goto(`${site.url}bare`);
    await other.waitForFunction(() => window.crispen !== undefined);
    await other.evaluate(() => {
      Object.assign(window, { upscaler: window.crispen.createUpscaler() });
    });
    const { code, size, width, ends } = await write(other, false);
    expect([code, width, ends]).toEqual([size, 48, ['close']]);
    expect(await write(other, true)).toMatchObject({ code: 'WRITE_FAILED', size: 0 });
    expect(await write(other, false)).toMatchObject({ width: 48, ends: ['close'] });
    await other.close();
  });
});

it.each([
  ['trusted-types crispen', null],
  ["trusted-types 'none'", 'WORKER_FAILED'],
])('Trusted Types: %s', async (types, code) => {
  const strict = await serveSources(`require-trusted-types-for 'script'; ${types}`);
  const other = await openPage(`${strict.url}bare?backend=auto`);
  expect(await resize(other, file)).toMatchObject({ code });
  if (code === null) {
    const cpu = await other.evaluate(async (bytes) => {
      const upscaler = window.crispen.createUpscaler({ backend: 'cpu', threads: 2 });
      const { cpu } = await upscaler.detect();
      const image = window.crispen.bytes(bytes);
      return { cpu, outcome: await window.crispen.attempt(upscaler, image, { scale: 2 }) };
    }, file);
    expect(cpu).toMatchObject({ cpu: { threads: 2 }, outcome: { code: null, backend: 'cpu' } });
  }
  await other.close();
  await strict.close();
});

describe('<crispen-image> with weights of another site', () => {
  const show = async (attributes: string) => {
    const other = await browser.newPage();
    await other.goto(`${site.url}element?backend=auto`);
    const outcome = await other.evaluate(
      async ([attributes, bytes]) => {
        const url = URL.createObjectURL(new Blob([Uint8Array.from(bytes)]));
        document.body.innerHTML = `<crispen-image loading="eager" src="${url}" width="100" height="80" ${attributes}></crispen-image>`;
        const element = document.querySelector('crispen-image') as HTMLElement;
        return new Promise<string>((resolve) => {
          element.addEventListener('load', () => resolve('done'));
          element.addEventListener('error', (event) =>
            resolve((event as unknown as CustomEvent).detail?.code),
          );
        });
      },
      [attributes, file] as const,
    );
    await other.close();
    return outcome;
  };

  it('asks the page: by its hash, or by the site', async () => {
    const model = `model="${foreign.url}tiny.safetensors"`;
    const origin = new URL(foreign.url).origin;
    expect(await show(model)).toBe('CROSS_ORIGIN');
    expect(await show(`${model} allow-models="https://other.example"`)).toBe('CROSS_ORIGIN');
    expect(await show(`${model} allow-models="https://other.example ${origin}"`)).toBe('done');
    expect(await show(`${model} allow-models`)).toBe('done');
    expect(await show(`${model} integrity="${INTEGRITY}"`)).toBe('done');
    expect(await show(`${model} integrity="${INTEGRITY.replace(/.{4}$/, 'AAA=')}"`)).toBe(
      'MODEL_CORRUPT',
    );
  });
});
