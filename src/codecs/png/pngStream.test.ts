import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { picture } from '../../../test/pictures.ts';
import { randomStream } from '../../../test/random.ts';
import { NO_TAGS } from '../../image/tags.ts';
import { type PngHeader, pngWriter, type Rows } from './pngStream.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Creates a stream that collects the written bytes. `log` records whether it was closed or aborted.
 */
function memory(limit = Number.POSITIVE_INFINITY) {
  const parts: Bytes[] = [];
  const log: string[] = [];
  let size = 0;
  const stream = new WritableStream<Bytes>({
    write(part) {
      size += part.length;
      if (size > limit) throw new DOMException('the disk is full', 'QuotaExceededError');
      parts.push(part);
    },
    close: () => void log.push('closed'),
    abort: (reason) => void log.push(`aborted: ${reason}`),
  });
  return { parts, log, stream };
}

/**
 * Writes an image in strips. `strips` lists the number of rows of each strip, and is repeated until
 * the image ends.
 */
async function write(header: PngHeader, data: Rows, strips: readonly number[]) {
  const { parts, log, stream } = memory();
  const writer = pngWriter(header, stream).getWriter();
  const row = header.width * 4;
  for (let at = 0, i = 0; at < data.length; i++) {
    const length = strips[i % strips.length] * row;
    await writer.write(data.subarray(at, at + length));
    at += length;
  }
  await writer.close();
  expect(log).toEqual(['closed']);
  return { parts, file: Buffer.concat(parts) };
}

const open = (file: Buffer) => sharp(file, { limitInputPixels: false });

function noise(width: number, height: number): Uint8ClampedArray {
  const random = randomStream(3);
  return Uint8ClampedArray.from({ length: width * height * 4 }, () => random() * 256);
}

describe('pngWriter', () => {
  it.each([[[1]], [[3, 1, 7]], [[40]]])('takes rows in strips of %j', async (strips) => {
    const { data } = picture(50, 37, true);
    const { file } = await write({ width: 50, height: 37, alpha: true }, data, strips);
    expect((await open(file).raw().toBuffer()).equals(Buffer.from(data.buffer))).toBe(true);
  });

  it('leaves alpha out where it is known to be opaque', async () => {
    const { data } = picture(33, 9);
    const { file } = await write({ width: 33, height: 9, alpha: false }, data, [4]);
    expect((await open(file).metadata()).channels).toBe(3);
    const decoded = await open(file).ensureAlpha().raw().toBuffer();
    expect(decoded.equals(Buffer.from(data.buffer))).toBe(true);
  });

  it('keeps 16 bits', async () => {
    const data = Uint16Array.from({ length: 300 * 4 * 4 }, (_, i) => (i * 54_321) % 65_536);
    const { file } = await write({ width: 300, height: 4, alpha: true, depth: 16 }, data, [1]);
    expect((await open(file).metadata()).depth).toBe('ushort');
    const decoded = await open(file).toColourspace('rgb16').raw({ depth: 'ushort' }).toBuffer();
    expect(new Uint16Array(decoded.buffer, decoded.byteOffset, data.length)).toEqual(data);
  });

  it.each([
    [70_001, 3, 1],
    [3, 70_001, 999],
  ])('goes beyond the limits of canvases: %d x %d', async (width, height, strip) => {
    const { data } = picture(width, height, true);
    const { file } = await write({ width, height, alpha: true }, data, [strip]);
    expect(await open(file).metadata()).toMatchObject({ width, height, channels: 4 });
    expect((await open(file).raw().toBuffer()).equals(Buffer.from(data.buffer))).toBe(true);
  });

  it('writes the tags before the pixels, and these in chunks of 256 KiB', async () => {
    const [width, height] = [1000, 400];
    const tags = { ...NO_TAGS, xmp: new TextEncoder().encode('<x/>') };
    const header = { width, height, alpha: false, tags };
    const { parts } = await write(header, noise(width, height), [16]);
    const chunks = parts.slice(1).map((part) => {
      const view = new DataView(part.buffer);
      expect(view.getUint32(0)).toBe(part.length - 12);
      return { type: String.fromCharCode(...part.subarray(4, 8)), length: part.length - 12 };
    });
    const pixels = chunks.slice(3, -1);
    expect(chunks.map(({ type }) => type)).toEqual([
      ...['IHDR', 'sRGB', 'iTXt', ...pixels.map(() => 'IDAT'), 'IEND'],
    ]);
    expect(pixels.length).toBeGreaterThan(3);
    expect(pixels.slice(0, -1).every(({ length }) => length === 2 ** 18)).toBe(true);
  });

  it.each([
    ['too few rows', 11],
    ['too many rows', 13],
    ['a part of a row', 11.5],
  ])('refuses %s and aborts the file', async (_, rows) => {
    const { log, stream } = memory();
    const writer = pngWriter({ width: 8, height: 12, alpha: true }, stream).getWriter();
    const work = async () => {
      await writer.write(new Uint8ClampedArray(8 * 4 * rows));
      await writer.close();
    };
    await expect(work()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(writer.closed).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect.poll(() => log).toEqual([expect.stringMatching(/^aborted/)]);
  });

  it('fails with what the file fails with, and hangs on nothing', async () => {
    const { stream } = memory(2 ** 20);
    const [width, height] = [1000, 100];
    const writer = pngWriter({ width, height: height * 100, alpha: true }, stream).getWriter();
    const rows = noise(width, height);
    const work = async () => {
      for (let i = 0; i < 100; i++) await writer.write(rows);
    };
    await expect(work()).rejects.toMatchObject({ name: 'QuotaExceededError' });
  });

  it('aborts the file when it is aborted', async () => {
    const { log, parts, stream } = memory();
    const writer = pngWriter({ width: 1000, height: 1000, alpha: true }, stream).getWriter();
    await writer.write(noise(1000, 300));
    expect(parts.length).toBeGreaterThan(2);
    await writer.abort('enough');
    expect(log).toEqual(['aborted: enough']);
  });

  it('can be aborted while the file is slow, which has ended by then', async () => {
    const log: string[] = [];
    const slow = new WritableStream<Bytes>({
      write: async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        log.push('written');
      },
      abort: (reason) => void log.push(`aborted: ${reason}`),
    });
    const writer = pngWriter({ width: 1000, height: 4000, alpha: true }, slow).getWriter();
    const blocked = writer.write(noise(1000, 1000));
    await expect.poll(() => log.length).toBeGreaterThan(1);
    await Promise.all([writer.abort('enough'), expect(blocked).rejects.toBe('enough')]);
    expect(log.length).toBeLessThan(10);
    expect(log.at(-1)).toBe('aborted: enough');
  });
});
