import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { upscaleCommand } from '../src/cli/upscale.ts';
import { chunk } from '../src/codecs/png/pngChunks.ts';
import { DEPTH_NOTE } from '../src/node/images.ts';
import {
  avifOf,
  CHROMATICITIES,
  COLOURS_WIDTH,
  cHRM,
  cICP,
  gAMA,
  greyProfile,
  iCCP,
  type PngKind,
  pngOf,
  profileOfCodePoints,
  profileOfGamma,
  sRGB,
} from '../test/colours.ts';
import { launch } from './browser.ts';
import type { Outcome } from './page.ts';
import { type Served, serveSources } from './server.ts';

/**
 * A file must look the same in Chromium before and after Crispen processes it at its own size, on
 * the command line and in the browser. The notes must describe any conversion.
 */

let folder: string;
let site: Served;
let browser: Browser;
let page: Page;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-colours-'));
  site = await serveSources();
  browser = await launch({ webgpu: true });
  page = await browser.newPage();
  await page.goto(`${site.url}bare`);
  await page.waitForFunction(() => window.crispen !== undefined);
  await page.evaluate(() => {
    window.upscaler = window.crispen.createUpscaler();
  });
});
afterAll(async () => {
  await browser.close();
  await site.close();
  await rm(folder, { recursive: true });
});
afterEach(() => vi.restoreAllMocks());

const dataUrl = (file: Uint8Array) => `data:;base64,${Buffer.from(file).toString('base64')}`;

/** Returns the samples that Chromium draws, in sRGB. */
const drawn = (file: Uint8Array): Promise<number[]> =>
  page.evaluate(async (address) => {
    const bitmap = await createImageBitmap(await (await fetch(address)).blob());
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d')!;
    context.drawImage(bitmap, 0, 0);
    return [...context.getImageData(0, 0, width, height).data];
  }, dataUrl(file));

const worstOf = (a: readonly number[], b: readonly number[]): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
};
const meanOf = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;

interface Run {
  readonly file: Buffer;
  readonly notes: readonly string[];
  readonly depth: number;
}

const ARGS = ['--method', 'lanczos', '--scale', '1', '--device', 'cpu', '--json'];

/** Runs the command in a separate process. */
async function cliProcess(file: Uint8Array, extension: string): Promise<Run> {
  const [input, output] = [join(folder, 'process.in'), join(folder, 'process.png')];
  await writeFile(`${input}.${extension}`, file);
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['scripts/run.mjs', 'src/cli/crispen.ts', `${input}.${extension}`, output],
    ...ARGS,
  ]);
  return { ...JSON.parse(stdout), file: await readFile(output) };
}

/** Runs the command in this process, because starting another process takes seconds. */
async function cli(file: Uint8Array, extension = 'png'): Promise<Run> {
  const [input, output] = [join(folder, 'in'), join(folder, `out.${extension}`)];
  await writeFile(input, file);
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
  await upscaleCommand([input, output, '--quality', '100', ...ARGS]);
  const line = JSON.parse(printed.mock.lastCall![0]);
  printed.mockRestore();
  return { ...line, file: await readFile(output) };
}

/** Runs the library in the browser. */
async function library(
  file: Uint8Array,
  output: 'bitmap' | 'image/png' | 'image/jpeg' | 'image/webp' = 'image/png',
): Promise<Run> {
  const outcome: Outcome = await page.evaluate(
    async ([address, output]) => {
      const blob = await (await fetch(address)).blob();
      const request = { method: 'lanczos', scale: 1, output, quality: 1 } as const;
      return window.crispen.attempt(window.upscaler, blob, request);
    },
    [dataUrl(file), output] as const,
  );
  if (outcome.code !== null) throw new Error(`${outcome.code}: ${outcome.message}`);
  const { notes, depth } = outcome.source;
  return { file: Buffer.from(outcome.file), notes, depth };
}

const CONVERTED = 'The colours were converted to sRGB.';
const EXPONENTS = [0.3, 0.45455, 0.5, 0.55556, 1, 1.4];
const PNGS: [string, Buffer][] = [
  ...EXPONENTS.flatMap((exponent) => [
    [`gamma ${exponent}`, pngOf([gAMA(exponent)])] satisfies [string, Buffer],
    ...Object.entries(CHROMATICITIES).map(
      ([name, xy]) =>
        [`gamma ${exponent}, ${name}`, pngOf([gAMA(exponent), cHRM(...xy)])] satisfies [
          string,
          Buffer,
        ],
    ),
  ]),
  ...Object.entries(CHROMATICITIES).map(
    ([name, xy]) =>
      [`chromaticities of ${name} alone`, pngOf([cHRM(...xy)])] satisfies [string, Buffer],
  ),
  ...[1, 4, 5, 6, 8, 9, 10, 11, 12, 22].flatMap((primaries) =>
    [1, 4, 5, 6, 7, 8, 13, 14, 16, 17, 18].map(
      (transfer) =>
        [`code points ${primaries}/${transfer}`, pngOf([cICP(primaries, transfer)])] satisfies [
          string,
          Buffer,
        ],
    ),
  ),
  ...[
    [2, 2],
    [1, 9],
    [3, 13],
    [9, 200],
  ].map(
    ([p, t]) =>
      [`unknown code points ${p}/${t} and a gamma`, pngOf([cICP(p, t), gAMA(1)])] satisfies [
        string,
        Buffer,
      ],
  ),
  ['code points of narrow range and a gamma', pngOf([cICP(1, 8, 0, 0), gAMA(0.5)])],
  [
    'code points before all else',
    pngOf([gAMA(1), iCCP(profileOfCodePoints([9, 8])), cICP(12, 13)]),
  ],
  ['a profile before sRGB and gamma', pngOf([iCCP(profileOfCodePoints([12, 8])), sRGB, gAMA(1)])],
  [
    'a broken profile and a gamma',
    pngOf([iCCP(profileOfCodePoints([12, 8]).slice(0, 90)), gAMA(1)]),
  ],
  ['sRGB before gamma', pngOf([sRGB, gAMA(1), cHRM(...CHROMATICITIES.P3)])],
  ['two gammas', pngOf([gAMA(0.5), gAMA(1)])],
  ['a gamma of 0', pngOf([gAMA(0), cHRM(...CHROMATICITIES.P3)])],
  [
    'chromaticities that span nothing',
    pngOf([gAMA(1), cHRM(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)]),
  ],
  ['a gamma that is cut short', pngOf([chunk('gAMA', Uint8Array.of(0, 1))])],
  ['a profile of grey in colours', pngOf([iCCP(greyProfile(1))])],
];
const KINDS: readonly PngKind[] = [
  { depth: 16 },
  { colour: 0 },
  { colour: 0, depth: 16 },
  { colour: 3 },
  { colour: 4 },
  { colour: 4, depth: 16 },
  { colour: 6 },
  { colour: 6, depth: 16 },
];
const STATEMENTS: Record<string, readonly Uint8Array[]> = {
  gamma: [gAMA(1)],
  'gamma and chromaticities': [gAMA(0.55556), cHRM(...CHROMATICITIES.ProPhoto)],
  'code points': [cICP(9, 1)],
  PQ: [cICP(9, 16)],
  HLG: [cICP(12, 18)],
};
const OF_KINDS = KINDS.flatMap((kind) =>
  Object.entries(STATEMENTS).map(
    ([name, chunks]) => [`${name}, ${JSON.stringify(kind)}`, pngOf(chunks, kind), kind] as const,
  ),
);
const SDR = [1, 2, 4, 5, 6, 8, 13, 14];

describe('on the command line', () => {
  const shared = `${process.env.CRISPEN_SHARED ?? '../shared'}/faults/03`;
  const reported = existsSync(shared)
    ? readdirSync(shared).filter((name) => !/md$/.test(name))
    : [];
  if (reported.length === 0) console.warn(`SKIPPED: no ${shared}`);
  it.each([...reported.map((name) => join(shared, name)), 'e2e/images/pq.avif'])(
    '%s, as a process',
    async (path) => {
      const file = await readFile(path);
      const run = await cliProcess(file, path.slice(path.lastIndexOf('.') + 1));
      expect(worstOf(await drawn(run.file), await drawn(file))).toBeLessThanOrEqual(2);
      expect(run.notes).toEqual([]);
      expect(run.depth).toBe(path.includes('16') ? 16 : 8);
    },
  );

  it.each(PNGS)('a PNG with %s', async (name, file) => {
    const run = await cli(file);
    expect(worstOf(await drawn(run.file), await drawn(file))).toBeLessThanOrEqual(2);
    const unfit = 'The profile does not fit the pixels and was left out.';
    expect(run.notes).toEqual(/broken|grey in/.test(name) ? [unfit] : []);
  });

  it.each(OF_KINDS)('a PNG with %s', async (_, file, { depth = 8, colour = 2 }) => {
    const run = await cli(file);
    expect(worstOf(await drawn(run.file), await drawn(file))).toBeLessThanOrEqual(2);
    expect([run.notes, run.depth]).toEqual([[], depth]);
    // A grey file can express all of these colours, so the colour type does not change, except that
    // a palette becomes RGB.
    expect(run.file[25]).toBe(colour === 3 ? 2 : colour);
    expect(run.file[24]).toBe(depth);
  });

  it.each(['4:4:4', '4:2:0'] as const)('AVIF of every transfer function, %s', async (chroma) => {
    for (const primaries of [1, 9, 11, 12]) {
      for (const transfer of [...SDR, 16, 18]) {
        const file = await avifOf([primaries, transfer], chroma);
        const run = await cli(file);
        const worst = worstOf(await drawn(run.file), await drawn(file));
        expect({ primaries, transfer, worst: worst <= 2 || worst }).toMatchObject({ worst: true });
        expect(run.notes).toEqual([]);
      }
    }
  });

  // Formats that store neither gamma nor code points store a profile instead. Colours that no
  // profile can express are converted.
  it.each(['jpg', 'webp', 'avif'])('into %s', async (extension) => {
    for (const [name, chunks] of Object.entries(STATEMENTS)) {
      for (const kind of [{}, { depth: 16 }, { isGrey: true }] as const) {
        const file = pngOf(chunks, kind);
        const run = await cli(file, extension);
        // WebP stores colour at a lower resolution, so only the grey part of the image is compared.
        const compared = extension === 'webp' ? 8 * COLOURS_WIDTH * 4 : undefined;
        const [is, was] = [await drawn(run.file), await drawn(file)].map((samples) =>
          samples.slice(0, compared),
        );
        expect({ name, kind, mean: meanOf(is, was) < 2.5 || meanOf(is, was) }).toMatchObject({
          mean: true,
        });
        const isHdr = name === 'PQ' || name === 'HLG';
        const wanted = [...(isHdr ? [CONVERTED] : []), ...('depth' in kind ? [DEPTH_NOTE] : [])];
        expect(run.notes.toSorted()).toEqual(wanted.toSorted());
        const { icc } = await sharp(run.file).metadata();
        expect(icc === undefined).toBe(isHdr);
      }
    }
  });
});

describe('in the browser', () => {
  it.each([
    ...PNGS.filter((_, i) => i % 5 === 0),
    ...OF_KINDS.map(([name, file]): [string, Buffer] => [name, file]),
  ])('a PNG with %s', async (name, file) => {
    const run = await library(file);
    expect(worstOf(await drawn(run.file), await drawn(file))).toBeLessThanOrEqual(2);
    expect(run.notes).toEqual(/broken|grey in/.test(name) ? [expect.stringMatching(/fit/)] : []);
    expect(run.file[24]).toBe(run.depth);
    if (name.includes('"depth":16')) expect(run.depth).toBe(16);
  });

  it('AVIF of some transfer functions', async () => {
    for (const points of [
      [1, 1],
      [9, 13],
      [12, 8],
      [9, 16],
      [1, 18],
    ] as const) {
      const file = await avifOf(points, '4:2:0');
      const run = await library(file);
      expect(worstOf(await drawn(run.file), await drawn(file))).toBeLessThanOrEqual(2);
      expect(run.notes).toEqual([]);
    }
  });

  it.each(['bitmap', 'image/jpeg', 'image/webp'] as const)('as %s', async (output) => {
    for (const [name, chunks] of Object.entries(STATEMENTS)) {
      const file = pngOf(chunks);
      const run = await library(file, output);
      const [is, was] = [await drawn(run.file), await drawn(file)];
      if (output === 'bitmap') expect(worstOf(is, was)).toBeLessThanOrEqual(2);
      else expect(meanOf(is, was)).toBeLessThan(4);
      const isHdr = name === 'PQ' || name === 'HLG';
      expect(run.notes).toEqual(output === 'bitmap' || isHdr ? [CONVERTED] : []);
    }
    // Photos often contain an Adobe RGB profile.
    const file = pngOf([
      iCCP(profileOfGamma({ exponent: 0.45455, chromaticities: CHROMATICITIES['Adobe RGB'] })!),
    ]);
    const run = await library(file, output);
    expect(meanOf(await drawn(run.file), await drawn(file))).toBeLessThan(4);
    expect(run.notes).toEqual(output === 'bitmap' ? [CONVERTED] : []);
  });

  it('previews show the colours of the file', async () => {
    for (const chunks of Object.values(STATEMENTS)) {
      const file = pngOf(chunks);
      const shown = await page.evaluate(async (address) => {
        const blob = await (await fetch(address)).blob();
        const request = { method: 'lanczos', scale: 1, output: 'image/png', preview: 32 } as const;
        const { preview } = await window.upscaler.upscale(blob, request);
        const context = new OffscreenCanvas(32, 24).getContext('2d')!;
        context.drawImage(preview!, 0, 0);
        return [...context.getImageData(0, 0, 32, 24).data];
      }, dataUrl(file));
      expect(worstOf(shown, await drawn(file))).toBeLessThanOrEqual(2);
    }
  });
});

describe('black and white with a profile', () => {
  const profiles = { linear: 1, 'gamma 1.8': 1.8, 'gamma 2.2': 2.2 };
  const kinds: PngKind[] = ([8, 16] as const).flatMap((depth) =>
    ([2, 6, 0, 4] as const).map((colour) => ({ depth, colour, isGrey: true })),
  );
  const lcms = async (file: Uint8Array) => [
    ...(await sharp(file).toColourspace('srgb').ensureAlpha().raw().toBuffer()),
  ];

  it.each(
    Object.entries(profiles).flatMap(([name, gamma]) =>
      kinds.map((kind) => [name, JSON.stringify(kind), gamma, kind] as const),
    ),
  )('of RGB, %s, %s: stays RGB', async (_name, _kind, gamma, kind) => {
    const rgb = profileOfGamma({
      exponent: 1 / gamma,
      chromaticities: CHROMATICITIES['Adobe RGB'],
    })!;
    const file = pngOf([iCCP(rgb)], kind);
    for (const { file: written, notes } of [await cli(file), await library(file)]) {
      expect([written[24], written[25]]).toEqual([kind.depth, (kind.colour ?? 2) | 2]);
      expect((await sharp(written).metadata()).icc!.equals(Buffer.from(rgb))).toBe(true);
      const right = await drawn(file);
      expect(worstOf(await drawn(written), right)).toBeLessThanOrEqual(2);
      // Decoders based on libpng must use the profile's curve.
      const opaque = (samples: readonly number[]) => samples.filter((_, i) => right[i | 3] === 255);
      expect(worstOf(opaque(await lcms(written)), opaque(right))).toBeLessThanOrEqual(2);
      expect(notes).toEqual([]);
    }
  });

  it.each(
    ([8, 16] as const).flatMap((depth) => ([0, 4] as const).map((colour) => ({ depth, colour }))),
  )('of grey: stays grey, %o', async (kind) => {
    const grey = greyProfile(1.8);
    const file = pngOf([iCCP(grey)], kind);
    for (const { file: written, notes } of [await cli(file), await library(file)]) {
      expect([written[24], written[25]]).toEqual([kind.depth, kind.colour]);
      expect((await sharp(written).metadata()).icc!.equals(Buffer.from(grey))).toBe(true);
      expect(worstOf(await drawn(written), await drawn(file))).toBeLessThanOrEqual(2);
      expect(notes).toEqual([]);
    }
  });

  it.each(['jpg', 'webp', 'avif'])('of grey goes into %s as one of RGB', async (extension) => {
    const file = pngOf([iCCP(greyProfile(1.8))], { colour: 0 });
    const { file: written, notes } = await cli(file, extension);
    expect((await sharp(written).metadata()).icc!.toString('latin1', 16, 20)).toBe('RGB ');
    expect(meanOf(await drawn(written), await drawn(file))).toBeLessThan(2);
    expect(notes).toEqual([]);
  });

  it.each(['grey', 'RGB'])('a JPEG with a profile of %s', async (space) => {
    const icc = space === 'grey' ? greyProfile(1) : profileOfCodePoints([1, 8]);
    const plain = await sharp(pngOf([], { isGrey: true }))
      .toColourspace('b-w')
      .jpeg({ quality: 100 })
      .toBuffer();
    const mark = Buffer.from('ICC_PROFILE\0\x01\x01', 'latin1');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(icc.length + mark.length + 2);
    const file = Buffer.concat([
      ...[plain.subarray(0, 2), Buffer.of(0xff, 0xe2), length, mark, icc, plain.subarray(2)],
    ]);
    for (const { file: written, notes } of [await cli(file), await library(file)]) {
      expect(written[25]).toBe(space === 'grey' ? 0 : 2);
      expect(worstOf(await drawn(written), await drawn(file))).toBeLessThanOrEqual(2);
      expect(notes).toEqual([]);
    }
  });
});
