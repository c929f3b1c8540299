import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TiffOptions, tiff } from '../../test/tiff.ts';
import { readPicture } from './images.ts';
import { FLOAT_NOTE } from './samples.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-samples-'));
});
afterAll(() => rm(folder, { recursive: true }));

const [width, height] = [4, 3];
async function read(file: Uint8Array) {
  await writeFile(join(folder, 'file'), file);
  return readPicture(join(folder, 'file'));
}
const stored = (options: Omit<TiffOptions, 'width' | 'height'>) =>
  read(tiff({ width, height, ...options }));

describe('floating-point TIFF', () => {
  const value = (i: number) => i / 53;
  const byte = (i: number) => Math.round((255 * i) / 53);

  test.each([
    [1, (i: number) => [i, i, i, null]],
    [2, (i: number) => [2 * i, 2 * i, 2 * i, 2 * i + 1]],
    [3, (i: number) => [3 * i, 3 * i + 1, 3 * i + 2, null]],
    [4, (i: number) => [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3]],
  ])('of %i channels: 0 to 1 become 0 to 255, by no curve', async (channels, samples) => {
    const { image, notes } = await stored({ channels, bits: 32, samples: 'float', value });
    const expected = Array.from({ length: width * height }, (_, i) => samples(i)).flat();
    expect([...image.data]).toEqual(expected.map((i) => (i === null ? 255 : byte(i))));
    expect(notes).toEqual([FLOAT_NOTE]);
  });

  test('the rounding of what was computed may leave 0 to 1', async () => {
    const nearly = (i: number) => (i === 0 ? -1e-4 : i === 1 ? 1.0001 : 0.5);
    const { image } = await stored({ channels: 1, bits: 32, samples: 'float', value: nearly });
    expect([image.data[0], image.data[4], image.data[8]]).toEqual([0, 255, 128]);
  });

  test.each([
    ['metres', (i: number) => i * 100],
    ['below zero', (i: number) => -i],
    ['NaN', (i: number) => (i === 5 ? Number.NaN : 0.5)],
    ['infinity', (i: number) => (i === 5 ? Number.POSITIVE_INFINITY : 0.5)],
  ])('%s are refused', async (_, value) => {
    const picture = stored({ channels: 1, bits: 32, samples: 'float', value });
    await expect(picture).rejects.toMatchObject({
      code: 'DECODE_FAILED',
      message: expect.stringContaining('floating-point'),
      hint: expect.stringContaining('0 to 1'),
    });
  });

  test('half floats are right or refused', async () => {
    const half = { bits: 16, samples: 'float', value: () => 0x3800 } as const;
    const { image } = await stored({ channels: 3, ...half });
    expect([...image.data.subarray(0, 4)]).toEqual([128, 128, 128, 255]);
    await expect(stored({ channels: 1, ...half })).rejects.toMatchObject({ code: 'DECODE_FAILED' });
  });
});

describe('integers of a TIFF', () => {
  test.each([
    ['signed', 8],
    ['signed', 16],
    ['signed', 32],
    ['unsigned', 32],
  ] as const)('%s, of %i bits: refused', async (samples, bits) => {
    await expect(stored({ channels: 1, bits, samples, value: (i) => i })).rejects.toMatchObject({
      code: 'DECODE_FAILED',
      message: expect.stringContaining(`${bits}-bit integers`),
    });
  });

  test.each([
    [8, 1, 255],
    [16, 1771, 65535],
  ] as const)('unsigned, of %i bits: kept', async (bits, unit, opaque) => {
    const value = (i: number) => i * unit;
    for (const channels of [1, 3] as const) {
      const { image, notes } = await stored({ channels, bits, samples: 'unsigned', value });
      const samples = channels === 1 ? [0, 0, 0, opaque, 1, 1, 1] : [0, 1, 2, opaque, 3, 4, 5];
      const expected = samples.map((v, i) => (i === 3 ? v : v * unit));
      expect([...image.data.subarray(0, 7)]).toEqual(expected);
      expect(notes).toEqual([]);
    }
  });
});

describe('what libjpeg only warns of', () => {
  const data = Uint8Array.from({ length: 32 * 24 * 3 }, (_, i) => (i * 7) % 256);
  const jpeg = (options?: sharp.JpegOptions) =>
    sharp(data, { raw: { width: 32, height: 24, channels: 3 } })
      .jpeg(options)
      .toBuffer();
  const pixels = async (file: Buffer) => (await read(file)).image.data;

  test('a scan header that ends at coefficient 0, of some phones', async () => {
    const file = await jpeg();
    const whole = await pixels(file);
    const scan = file.indexOf(Buffer.of(0xff, 0xda));
    const last = scan + 2 + file.readUInt16BE(scan + 2) - 2;
    expect(file[last]).toBe(63);
    file[last] = 0;
    expect(await pixels(file)).toEqual(whole);
  });

  test('bytes before a marker', async () => {
    const file = await jpeg({ progressive: true });
    const whole = await pixels(file);
    const at = file.indexOf(Buffer.of(0xff, 0xda), file.indexOf(Buffer.of(0xff, 0xda)) + 1);
    const strays = Buffer.concat([file.subarray(0, at), Buffer.from('abc'), file.subarray(at)]);
    expect(await pixels(strays)).toEqual(whole);
  });

  test('but a file that is cut short is refused, as by browsers', async () => {
    const file = await jpeg();
    for (const end of [file.length - 2, file.length >> 1]) {
      await expect(read(file.subarray(0, end))).rejects.toMatchObject({ code: 'DECODE_FAILED' });
    }
  });
});

test('the profile of a TIFF is converted, and a note says so', async () => {
  const bytes = Uint8Array.from({ length: 3 * width * height }, (_, i) => 7 * i);
  const plain = sharp(bytes, { raw: { width, height, channels: 3 } });
  const { notes } = await read(await plain.clone().withIccProfile('p3').tiff().toBuffer());
  expect(notes).toEqual(['The colours were converted to sRGB.']);
  expect((await read(await plain.tiff().toBuffer())).notes).toEqual([]);
});
