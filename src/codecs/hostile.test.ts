/**
 * Checks that hostile files do not take excessive time or memory to read. Some of the files are
 * small but inflate to many megabytes, and others have many small parts.
 */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { picture, SIDE } from '../../test/hostile.ts';
import { ascii, join } from './bytes.ts';
import { isMoving } from './frames.ts';
import { readHeader } from './header.ts';
import { decodePng16 } from './png/png16.ts';
import { chunk, headerChunk, SIGNATURE } from './png/pngChunks.ts';
import { openSource } from './source.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const MIB = 2 ** 20;
/**
 * The maximum CPU time for one check, in milliseconds. CPU time does not depend on the machine's
 * load.
 */
const SLOWEST_MS = 2000;

/**
 * Fills an array with copies of `part`. Each step doubles the filled range by copying it, which is
 * fast even for many megabytes.
 */
function repeated(part: Uint8Array, bytes: number): Bytes {
  const whole = new Uint8Array(Math.floor(bytes / part.length) * part.length);
  whole.set(part);
  for (let at = part.length; at < whole.length; at *= 2) whole.copyWithin(at, 0, at);
  return whole;
}

const png = async () => new Uint8Array(await picture().png().toBuffer());
/** Creates a PNG with additional bytes before its pixels. */
async function pngWith(...parts: Uint8Array[]): Promise<Bytes> {
  const file = await png();
  return join([file.subarray(0, 33), ...parts, file.subarray(33)]);
}
const packed = (text: Uint8Array) => {
  const head = ascii('XML:com.adobe.xmp\0\x01\0\0\0');
  return chunk('iTXt', join([head, deflateSync(text, { level: 9 })]));
};
const plain = (text: string) => chunk('iTXt', ascii(`XML:com.adobe.xmp\0\0\0\0\0${text}`));
const bomb = (bytes: number) => new Uint8Array(bytes).fill(0x20);

/**
 * Runs `work` and checks how much CPU time and memory it uses. The memory limit grows with the size
 * of `file`.
 */
async function bounded<T>(file: Uint8Array, work: () => T | Promise<T>): Promise<T> {
  const memory = process.memoryUsage.rss();
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1000).toBeLessThan(SLOWEST_MS);
  const grown = process.memoryUsage.rss() - memory;
  expect(grown).toBeLessThan(4 * Math.max(file.length, SIDE * SIDE * 4) + 64 * MIB);
  return result;
}

/**
 * Joins the parts of a file and checks that the file decodes to the original pixels. Also checks
 * that there are not too many parts.
 */
async function expectPicture(parts: readonly Uint8Array[]): Promise<void> {
  const pixels = (file: Uint8Array) => sharp(file).ensureAlpha().raw().toBuffer();
  expect(parts.length).toBeLessThan(10_000);
  expect((await pixels(join(parts))).equals(await picture().ensureAlpha().raw().toBuffer())).toBe(
    true,
  );
}

describe('compressed metadata', () => {
  it('that inflate to 16 MiB are left out, and 300 of them cost no more than one', async () => {
    const one = packed(bomb(16 * MIB));
    expect(one.length).toBeLessThan(17_000);
    for (const count of [1, 300]) {
      const file = await pngWith(...Array.from({ length: count }, () => one));
      const { tags, bare } = await bounded(file, () => openSource(file));
      expect(tags.xmp).toBeNull();
      await expectPicture(bare);
    }
  });

  it('of half a mebibyte are kept', async () => {
    const text = join([ascii('<x:xmpmeta tiff:Orientation="6"/>'), bomb(MIB / 2)]);
    const { tags } = await openSource(await pngWith(packed(text)));
    expect(Buffer.from(tags.xmp!).toString().trim()).toBe('<x:xmpmeta tiff:Orientation="1"/>');
    expect(tags.xmp).toHaveLength(text.length);
  });

  it('are those of the first packet alone', async () => {
    const { tags } = await openSource(await pngWith(plain('one'), plain('two')));
    expect(Buffer.from(tags.xmp!).toString()).toBe('one');
  });

  it('in texts and profiles do not reach the decoder', async () => {
    const zeros = deflateSync(bomb(64 * MIB), { level: 9 });
    const texts = ['zTXt', 'iTXt'].map((type) =>
      chunk(type, join([ascii('a\0\x01\0\0\0'), zeros])),
    );
    const profile = chunk('iCCP', join([ascii('a\0\0'), zeros]));
    const file = await pngWith(profile, ...texts);
    const { tags, bare, isRaw } = await bounded(file, () => openSource(file));
    expect([tags.icc, isRaw]).toEqual([null, true]);
    expect(join(bare).length).toBeLessThan((await png()).length + 1);
    await expectPicture(bare);
  });

  it('end with the job', async () => {
    const signal = AbortSignal.abort();
    const profile = chunk('iCCP', join([ascii('a\0\0'), deflateSync(bomb(4 * MIB))]));
    for (const part of [packed(bomb(MIB / 2)), profile]) {
      const opening = openSource(await pngWith(part), { signal });
      await expect(opening).rejects.toMatchObject({ code: 'ABORTED' });
    }
  });
});

describe('XMP of many megabytes', () => {
  const size = " tiff:ImageWidth='1'";
  it.each([
    ['spaces', ' '],
    ['sizes', size],
    ['orientations', 'tiff:Orientation>1'],
    ['open quotes', ' tiff:ImageWidth="'],
    ['open elements', '<tiff:ImageWidth>'],
  ])('of %s is read in bounds', async (_, text) => {
    const file = await pngWith(
      chunk('tEXt', join([ascii('XML:com.adobe.xmp\0'), repeated(ascii(text), 8 * MIB)])),
    );
    const { tags } = await bounded(file, () => openSource(file));
    if (text === ' ') expect(tags.xmp).toHaveLength(8 * MIB);
    if (text === size) expect(tags.xmp).toHaveLength(0);
  });
});

describe('files of many parts', () => {
  it('are more than the arguments of a call', () => {
    const parts = Array.from({ length: 300_000 }, () => ascii('ab'));
    expect(join(parts)).toHaveLength(600_000);
  });

  it('WebP: 125,000 empty EXIF chunks', async () => {
    const file = new Uint8Array(await picture().webp({ lossless: true }).toBuffer());
    const whole = join([file, repeated(ascii('EXIF\0\0\0\0'), 1e6)]);
    new DataView(whole.buffer).setUint32(4, whole.length - 8, true);
    const { bare } = await bounded(whole, () => openSource(whole));
    expect(join(bare)).toHaveLength(file.length);
    await expectPicture(bare);
  });

  it('WebP: chunks to keep and to drop in turn', async () => {
    const file = new Uint8Array(await picture().webp({ lossless: true }).toBuffer());
    const whole = join([file, repeated(ascii('EXIF\0\0\0\0abcd\0\0\0\0'), 10 * MIB)]);
    new DataView(whole.buffer).setUint32(4, whole.length - 8, true);
    const { bare } = await bounded(whole, () => openSource(whole));
    await expectPicture(bare);
  });

  it('PNG: texts and unknown chunks in turn', async () => {
    const pair = join([chunk('tEXt', ascii('')), chunk('abCd', ascii(''))]);
    const file = await pngWith(repeated(pair, 10 * MIB));
    const { bare } = await bounded(file, () => openSource(file));
    await expectPicture(bare);
  });

  it('PNG: an animation of empty frames', async () => {
    const control = chunk('acTL', Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 0));
    const file = await pngWith(control, repeated(chunk('fdAT', ascii('')), 10 * MIB));
    const { bare } = await bounded(file, () => openSource(file));
    await expectPicture(bare);
  });

  it('JPEG: strays between segments', async () => {
    const file = new Uint8Array(await picture().jpeg().toBuffer());
    const part = Uint8Array.of(0xff, 0xe9, 0, 2, 0);
    const whole = join([file.subarray(0, 2), repeated(part, 10 * MIB), file.subarray(2)]);
    const { bare } = await bounded(whole, () => openSource(whole));
    expect((await sharp(join(bare)).metadata()).width).toBe(SIDE);
  });

  it('AVIF: boxes, in a row and within each other', async () => {
    const file = new Uint8Array(await picture().avif({ effort: 0 }).toBuffer());
    const row = join([file, repeated(ascii('\0\0\0\x08free'), 10 * MIB)]);
    expect((await bounded(row, () => openSource(row))).format).toBe('AVIF');
    const count = 200_000;
    const nest = new Uint8Array(count * 8);
    const view = new DataView(nest.buffer);
    for (let i = 0; i < count; i++) {
      view.setUint32(i * 8, nest.length - i * 8);
      nest.set(ascii('moov'), i * 8 + 4);
    }
    const deep = join([ascii('\0\0\0\x10ftypavis\0\0\0\0'), nest]);
    expect(await bounded(deep, () => isMoving('AVIF', deep))).toBe(false);
    const brands = join([ascii('\0\xa0\0\0ftypabcd'), repeated(ascii('abcd'), 10 * MIB)]);
    expect((await bounded(brands, () => readHeader(brands))).format).toBe('video');
  });

  it('AVIF: a million properties', async () => {
    const box = (type: string, ...parts: Uint8Array[]) => {
      const content = join(parts);
      const head = new Uint8Array(4);
      new DataView(head.buffer).setUint32(0, content.length + 8);
      return join([head, ascii(type), content]);
    };
    const properties = box('ipco', repeated(ascii('\0\0\0\x08colr'), 8 * MIB));
    const file = join([
      ascii('\0\0\0\x10ftypavif\0\0\0\0'),
      box('meta', new Uint8Array(4), box('iprp', properties)),
    ]);
    expect((await bounded(file, () => openSource(file))).format).toBe('AVIF');
  });
});

describe('PNG of 16 bits', () => {
  it('of few data for its size is refused before there is memory for its pixels', async () => {
    const data = chunk('IDAT', deflateSync(bomb(1000)));
    const end = chunk('IEND', ascii(''));
    const file = join([SIGNATURE, headerChunk(16_384, 16_384, 16, 6), data, end]);
    await bounded(file, () => expect(decodePng16(file)).rejects.toThrow('fewer data than pixels'));
  });

  it('of more data than its size is refused, and a cancelled job ends', async () => {
    const data = deflateSync(bomb(128 * MIB), { level: 9 });
    const many = repeated(chunk('IDAT', ascii('')), 10 * MIB);
    const end = chunk('IEND', ascii(''));
    const small = join([SIGNATURE, headerChunk(8, 8, 16, 6), many, chunk('IDAT', data), end]);
    await bounded(small, () => expect(decodePng16(small)).rejects.toThrow('more than'));
    const large = join([SIGNATURE, headerChunk(4096, 4096, 16, 6), chunk('IDAT', data), end]);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    const start = performance.now();
    await expect(decodePng16(large, abort.signal)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
