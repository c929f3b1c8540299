import type { Browser, Page } from 'playwright';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rgba8Image } from '../src/image/image.ts';
import { makeGrey } from '../src/image/pixels.ts';
import type { UpscaleRequest } from '../src/index.ts';
import { detect } from '../src/networks/detect.ts';
import { readSafetensors } from '../src/weights/safetensors.ts';
import { tinyCheckpoint } from '../test/checkpoints/tiny.ts';
import { hostileFiles } from '../test/hostile.ts';
import { launch } from './browser.ts';
import { decode, expectedOf, expectSamePicture } from './oracle.ts';
import type { Outcome } from './page.ts';
import { type Served, serveSources } from './server.ts';

/**
 * The scale of the tests' network, which is the smallest possible. It enlarges files with valid and
 * invalid colour information.
 */
const SCALE = 2;

let site: Served;
let browser: Browser;
let page: Page;
let model: string;
let enlarged: (image: Rgba8Image) => Promise<Rgba8Image>;

beforeAll(async () => {
  site = await serveSources();
  browser = await launch({ webgpu: true });
  page = await browser.newPage();
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  const checkpoint = tinyCheckpoint(SCALE);
  model = await page.evaluate(
    async (bytes) => {
      const { crispen } = window;
      window.upscaler = crispen.createUpscaler();
      const { id } = await window.upscaler.addModel(crispen.bytes(bytes), { name: 'tiny' });
      return id;
    },
    [...checkpoint],
  );
  const { network, weights } = detect(readSafetensors(checkpoint).tensors);
  enlarged = (image) => expectedOf(network, weights, image);
});

afterAll(async () => {
  await browser.close();
  await site.close();
});

async function upscale(
  file: Uint8Array,
  request: Omit<UpscaleRequest, 'signal' | 'onProgress' | 'to'> = {},
): Promise<Outcome> {
  // The file is sent as text, because transferring a long list of numbers takes seconds.
  const url = `data:;base64,${Buffer.from(file).toString('base64')}`;
  return page.evaluate(
    async ([address, options]) => {
      const { crispen, upscaler } = window;
      const blob = await (await fetch(address)).blob();
      return crispen.attempt(upscaler, blob, options);
    },
    [url, { model, output: 'image/png', ...request }] as const,
  );
}

function succeeded(outcome: Outcome) {
  if (outcome.code !== null) throw new Error(`${outcome.code}: ${outcome.message}`);
  return { ...outcome, file: Buffer.from(outcome.file) };
}

const [WIDTH, HEIGHT] = [14, 10];
/** The image is smooth and saturated, so a conversion of its colours would be visible. */
const rgb = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
  const [x, y] = [Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH)];
  return [250 - 4 * x, 10 + 20 * y, 5 * x + 3 * y][i % 3];
});
const picture = () => sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const asImage = async (image: Sharp): Promise<Rgba8Image> => decode(await image.png().toBuffer());

/** Returns the stored values and ignores any profile. */
async function stored(file: Buffer): Promise<Rgba8Image> {
  const { data, info } = await sharp(file, { ignoreIcc: true })
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: new Uint8ClampedArray(data) };
}

const encoders: Record<string, (image: Sharp) => Sharp> = {
  png: (image) => image.png(),
  webp: (image) => image.webp({ lossless: true }),
  jpeg: (image) => image.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
};

describe('Display P3', () => {
  it.each(Object.keys(encoders))('of a %s is kept: same values, same profile', async (format) => {
    const file = await encoders[format](picture().withIccProfile('p3')).toBuffer();
    const { icc } = await sharp(file).metadata();
    const outcome = succeeded(await upscale(file));
    expect(outcome.source).toMatchObject({
      format: { png: 'PNG', webp: 'WebP', jpeg: 'JPEG' }[format],
      depth: 8,
      colorSpace: 'display-p3',
      hasProfile: true,
      grey: false,
      animated: false,
      notes: [],
    });
    expect((await sharp(outcome.file).metadata()).icc!.equals(icc!)).toBe(true);
    expectSamePicture(await stored(outcome.file), await enlarged(await stored(file)));
  });

  it.each(['image/jpeg', 'image/webp', 'image/avif'] as const)('goes into %s', async (output) => {
    const file = await picture().withIccProfile('p3').png().toBuffer();
    const outcome = succeeded(await upscale(file, { output, quality: 1 }));
    const found = await sharp(outcome.file).metadata();
    expect(found).toMatchObject({ width: SCALE * WIDTH, height: SCALE * HEIGHT });
    expect(found.icc!.equals((await sharp(file).metadata()).icc!)).toBe(true);
    const [actual, wanted] = [await stored(outcome.file), await enlarged(await stored(file))];
    const sum = actual.data.reduce((total, v, i) => total + Math.abs(v - wanted.data[i]), 0);
    expect(sum / actual.data.length).toBeLessThan(3);
  });
});

describe('16 bits per sample', () => {
  it('go in and come out', async () => {
    const samples = Uint16Array.from({ length: 400 * 2 * 3 }, (_, i) => {
      const x = Math.floor(i / 3) % 400;
      return [20_000 + 7 * x, 30_000 + 11 * x, 40_000 - 5 * x][i % 3];
    });
    const file = await sharp(samples, { raw: { width: 400, height: 2, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    const outcome = succeeded(await upscale(file));
    expect(outcome).toMatchObject({ width: 800, source: { depth: 16, notes: [] } });
    expect((await sharp(outcome.file).metadata()).depth).toBe('ushort');
    const { data } = await sharp(outcome.file)
      .toColourspace('rgb16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true });
    const row = new Uint16Array(data.buffer, data.byteOffset, 800 * 3);
    for (const channel of [0, 1, 2]) {
      const levels = new Set(row.filter((_, i) => i % 3 === channel));
      expect(levels.size).toBeGreaterThan(256);
    }
    const narrow = succeeded(await upscale(file, { depth: 8 }));
    expect((await sharp(narrow.file).metadata()).depth).toBe('uchar');
  });
});

describe('orientation', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('%d is applied once', async (orientation) => {
    for (const encode of Object.values(encoders)) {
      const file = await encode(picture().withMetadata({ orientation })).toBuffer();
      const outcome = succeeded(await upscale(file, { metadata: 'keep' }));
      const upright = await asImage(sharp(await sharp(file).autoOrient().png().toBuffer()));
      expect([outcome.inputWidth, outcome.inputHeight]).toEqual([upright.width, upright.height]);
      expectSamePicture(await stored(outcome.file), await enlarged(upright));
      expect((await sharp(outcome.file).metadata()).orientation ?? 1).toBe(1);
    }
  });
});

describe('metadata', () => {
  it('is kept or dropped as asked', async () => {
    const file = await picture()
      .withExif({ IFD0: { Artist: 'somebody' } })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
      .jpeg()
      .toBuffer();
    for (const output of ['image/png', 'image/jpeg', 'image/webp'] as const) {
      const kept = succeeded(await upscale(file, { output, metadata: 'keep' }));
      expect(kept.source.hasMetadata).toBe(true);
      const found = await sharp(kept.file).metadata();
      expect(found.exif!.includes('somebody')).toBe(true);
      expect(found.xmp!.toString()).toContain('xmpmeta');
      const dropped = await sharp(succeeded(await upscale(file, { output })).file).metadata();
      expect([dropped.exif, dropped.xmp]).toEqual([undefined, undefined]);
    }
  });
});

describe('grey and alpha', () => {
  it('grey stays grey', async () => {
    for (const encode of Object.values(encoders)) {
      const outcome = succeeded(await upscale(await encode(picture().greyscale()).toBuffer()));
      expect(outcome.source.grey).toBe(true);
      expect((await sharp(outcome.file).metadata()).channels).toBe(1);
      const { data } = await decode(outcome.file);
      for (let i = 0; i < data.length; i += 4) {
        expect([data[i + 1], data[i + 2]]).toEqual([data[i], data[i]]);
      }
    }
  });

  it('clear and opaque areas stay just that, and colours under alpha 3 are exact', async () => {
    const data = new Uint8ClampedArray(16 * 12 * 4);
    for (let i = 0; i < data.length; i += 4) {
      const x = (i / 4) % 16;
      data.set([200, 100, 50, x < 5 ? 0 : x < 11 ? 255 : 3], i);
    }
    const image = { width: 16, height: 12, data };
    const file = await sharp(data, { raw: { width: 16, height: 12, channels: 4 } })
      .png()
      .toBuffer();
    const actual = await decode(succeeded(await upscale(file)).file);
    expectSamePicture(actual, await enlarged(image));
    const alpha = (x: number) =>
      Array.from({ length: 24 }, (_, y) => actual.data[(y * 32 + x) * 4 + 3]);
    for (const x of [0, 4, 8]) expect(new Set(alpha(x))).toEqual(new Set([0]));
    for (const x of [12, 15, 20]) expect(new Set(alpha(x))).toEqual(new Set([255]));
    // The Lanczos filter does not reach from the opaque part to these columns.
    for (const x of [29, 31]) expect(new Set(alpha(x))).toEqual(new Set([3]));
  });
});

it('says aloud that of an animation the first frame was taken', async () => {
  const frames = Buffer.alloc(8 * 16 * 3, 40).fill(220, 8 * 8 * 3);
  const raw = { width: 8, height: 16, channels: 3, pageHeight: 8 } as const;
  for (const encode of [(image: Sharp) => image.gif(), (image: Sharp) => image.webp()]) {
    const file = await encode(sharp(frames, { raw })).toBuffer();
    const outcome = succeeded(await upscale(file));
    expect(outcome.source).toMatchObject({
      animated: true,
      notes: [expect.stringMatching(/first frame/)],
    });
    expect([outcome.inputWidth, outcome.inputHeight]).toEqual([8, 8]);
    const first = { width: 8, height: 8, data: new Uint8ClampedArray(256) };
    for (let i = 0; i < 256; i += 4) first.data.set([40, 40, 40, 255], i);
    const wanted = await enlarged(first);
    makeGrey(wanted.data);
    expectSamePicture(await decode(outcome.file), wanted);
  }
});

describe('hostile files', async () => {
  const good = await picture().png().toBuffer();
  it.each(await hostileFiles())('$name', async ({ file, size, code }) => {
    const start = performance.now();
    const outcome = await upscale(file);
    expect(performance.now() - start).toBeLessThan(10_000);
    if (outcome.code !== null) expect(outcome).toMatchObject({ code });
    else {
      expect([outcome.inputWidth, outcome.inputHeight]).toEqual(size);
      const { width, height } = await sharp(Buffer.from(outcome.file)).metadata();
      expect([width, height]).toEqual(size!.map((side) => SCALE * side));
    }
    expectSamePicture(
      await decode(succeeded(await upscale(good)).file),
      await enlarged(await asImage(picture())),
    );
  });
});
