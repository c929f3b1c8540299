import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostileFiles } from '../../test/hostile.ts';
import type { Rgba8Image } from '../image/image.ts';
import { NO_TAGS } from '../image/tags.ts';
import { DEPTH_NOTE, type OutputFormat, readImage, readPicture, writeImage } from './images.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-images-'));
});
afterAll(() => rm(folder, { recursive: true }));

const noise = (width: number, height: number, alpha: (i: number) => number): Rgba8Image => ({
  width,
  height,
  data: Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
    i % 4 === 3 ? alpha(i >> 2) : (i * 2654435761) >>> 24,
  ),
});

describe('reading', () => {
  test('PNG keeps every byte, also where alpha is low', async () => {
    const image = noise(5, 3, (i) => i * 17);
    await writeImage(at('alpha.png'), image);
    expect(await readImage(at('alpha.png'))).toEqual(image);
  });

  test('grey becomes RGB', async () => {
    const grey = Uint8Array.of(0, 77, 255);
    await sharp(grey, { raw: { width: 3, height: 1, channels: 1 } })
      .png()
      .toFile(at('grey.png'));
    const { data } = await readImage(at('grey.png'));
    expect([...data]).toEqual([0, 0, 0, 255, 77, 77, 77, 255, 255, 255, 255, 255]);
  });

  test('16 bits become 8', async () => {
    const deep = Uint16Array.of(0, 0x8080, 0xffff);
    await sharp(deep, { raw: { width: 1, height: 1, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toFile(at('deep.png'));
    expect((await sharp(at('deep.png')).metadata()).depth).toBe('ushort');
    expect([...(await readImage(at('deep.png'))).data]).toEqual([0, 128, 255, 255]);
  });

  // The first frame of a GIF can be smaller than the GIF's logical screen. The expected images are
  // those that Chromium shows. libvips paints the rest of the screen black, or omits it if the
  // screen is large.
  test.each([
    ['inside of the screen', 100, 60, [100, 60]],
    ['beyond the screen', 24, 20, [54, 30]],
    ['on a wide screen', 3000, 60, [3000, 60]],
  ])('what the first frame of a GIF leaves free is transparent: %s', async (_, w, h, size) => {
    const frame = noise(24, 20, () => 255);
    const file = await sharp(frame.data, { raw: { width: 24, height: 20, channels: 4 } })
      .gif()
      .toBuffer();
    const shown = await sharp(file).ensureAlpha().raw().toBuffer();
    const frameAt = file.indexOf(Buffer.of(0x2c, 0, 0, 0, 0, 24, 0, 20, 0));
    file.writeUInt16LE(30, frameAt + 1);
    file.writeUInt16LE(10, frameAt + 3);
    file.writeUInt16LE(w, 6);
    file.writeUInt16LE(h, 8);
    await writeFile(at('frame.gif'), file);
    const { width, height, data } = await readImage(at('frame.gif'));
    expect([width, height]).toEqual(size);
    const expected = new Uint8ClampedArray(width * height * 4);
    for (let y = 0; y < 20; y++) {
      const row = shown.subarray(y * 96, (y + 1) * 96);
      expected.set(row, ((y + 10) * width + 30) * 4);
    }
    expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(expected.buffer))).toBe(0);
  });

  test('a GIF without pixels is refused', async () => {
    const { data } = noise(24, 20, () => 255);
    const raw = { width: 24, height: 20, channels: 4 } as const;
    const file = await sharp(data, { raw }).gif().toBuffer();
    file.writeUInt16LE(0, file.indexOf(Buffer.of(0x2c, 0, 0, 0, 0, 24, 0, 20, 0)) + 5);
    await writeFile(at('empty.gif'), file);
    await expect(readImage(at('empty.gif'))).rejects.toMatchObject({ code: 'DECODE_FAILED' });
  });

  test('EXIF orientation is applied', async () => {
    const image = noise(4, 2, () => 255);
    // With orientation 6, the first stored row is the right column of the upright image.
    await sharp(image.data, { raw: { width: 4, height: 2, channels: 4 } })
      .withMetadata({ orientation: 6 })
      .png()
      .toFile(at('turned.png'));
    const { width, height, data } = await readImage(at('turned.png'));
    expect([width, height]).toEqual([2, 4]);
    expect([...data.subarray(4, 8)]).toEqual([...image.data.subarray(0, 4)]);
  });

  test.each([
    ['empty.png', () => Promise.resolve(new Uint8Array())],
    ['text.png', () => Promise.resolve(new TextEncoder().encode('no image'))],
    [
      'truncated.jpg',
      async () => {
        const { data, width, height } = noise(64, 64, () => 255);
        const whole = await sharp(data, { raw: { width, height, channels: 4 } })
          .jpeg()
          .toBuffer();
        return whole.subarray(0, whole.length / 2);
      },
    ],
  ])('%s fails with DECODE_FAILED', async (name, bytes) => {
    await writeFile(at(name), await bytes());
    await expect(readImage(at(name))).rejects.toMatchObject({ code: 'DECODE_FAILED' });
  });

  test('a file that is not there fails with INVALID_INPUT', async () => {
    await expect(readImage(at('nothing.png'))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('writing', () => {
  test.each(['png', 'jpg', 'jpeg', 'webp', 'PNG'])('%s by extension', async (extension) => {
    const file = at(`out.${extension}`);
    await writeImage(
      file,
      noise(7, 5, () => 255),
    );
    const { format, width, height, hasAlpha } = await sharp(file).metadata();
    const expected = /jpe?g/.test(extension) ? 'jpeg' : extension.toLowerCase();
    expect({ format, width, height, hasAlpha }).toEqual({
      format: expected,
      width: 7,
      height: 5,
      hasAlpha: false,
    });
  });

  test('alpha stays in WebP and goes onto white in JPEG', async () => {
    const clear = noise(8, 8, () => 0);
    await writeImage(at('clear.webp'), clear);
    expect((await sharp(at('clear.webp')).metadata()).hasAlpha).toBe(true);
    await writeImage(at('clear.jpg'), clear);
    const { data } = await readImage(at('clear.jpg'));
    expect(Math.min(...data)).toBeGreaterThan(250);
  });

  test('a failed write leaves nothing behind', async () => {
    const before = await readdir(folder);
    const broken = { width: 9, height: 9, data: new Uint8ClampedArray(4) };
    await expect(writeImage(at('broken.png'), broken)).rejects.toMatchObject({
      code: 'ENCODE_FAILED',
    });
    expect(await readdir(folder)).toEqual(before);
  });
});

describe('a picture keeps what its file says', () => {
  const { data, width, height } = noise(6, 4, (i) => 200 + i);
  const drawn = () => sharp(data, { raw: { width, height, channels: 4 } });

  test.each(['png', 'webp', 'jpeg', 'avif'] as const)('Display P3 through %s', async (format) => {
    await drawn().withIccProfile('p3').png().toFile(at('p3.png'));
    const { image, tags } = await readPicture(at('p3.png'));
    expect(tags.colorSpace).toBe('display-p3');
    const stored = await sharp(at('p3.png'), { ignoreIcc: true }).raw().toBuffer();
    expect(Buffer.from(image.data).equals(stored)).toBe(true);
    await writeImage(at(`p3-again.${format}`), image, { tags, quality: 100 });
    const { icc } = await sharp(at(`p3-again.${format}`)).metadata();
    expect(icc!.equals(Buffer.from(tags.icc!))).toBe(true);
    const again = await readPicture(at(`p3-again.${format}`));
    expect(again.tags.colorSpace).toBe('display-p3');
    if (format === 'png') expect(again.image).toEqual(image);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('orientation %d is applied once', async (orientation) => {
    for (const format of ['png', 'webp', 'jpeg'] as const) {
      const [file, again] = [
        at(`turned${orientation}.${format}`),
        at(`upright${orientation}.${format}`),
      ];
      const opaque = drawn().removeAlpha().withMetadata({ orientation });
      await opaque.toFormat(format, { quality: 100 }).toFile(file);
      const upright = await sharp(file).autoOrient().ensureAlpha().raw().toBuffer();
      const { image, tags } = await readPicture(file);
      expect(Buffer.from(image.data).equals(upright)).toBe(true);
      await writeImage(again, image, { tags });
      const found = await sharp(again).metadata();
      expect([found.width, found.height, found.orientation]).toEqual([
        image.width,
        image.height,
        1,
      ]);
    }
  });

  test.each([
    ['RGB', 3, 'rgb16', true],
    ['grey', 1, 'grey16', false],
  ] as const)('16 bits of %s, interlaced or not', async (_, channels, space, progressive) => {
    const samples = Uint16Array.from({ length: 5000 * channels }, (_, i) => (i * 4241) % 65536);
    await sharp(samples, { raw: { width: 100, height: 50, channels } })
      .toColourspace(space)
      .png({ progressive })
      .toFile(at('deep16.png'));
    const { image, tags } = await readPicture(at('deep16.png'));
    expect([image.data instanceof Uint16Array, tags.grey]).toEqual([true, channels === 1]);
    expect((await readPicture(at('deep16.png'))).notes).not.toContain(DEPTH_NOTE);
    expect((await readPicture(at('deep16.png'), 'webp')).notes).toContain(DEPTH_NOTE);
    const red = [...image.data].filter((_, i) => i % 4 === 0);
    expect(red).toEqual([...samples].filter((_, i) => i % channels === 0));
    await writeImage(at('deep16-again.png'), image, { tags });
    expect(await readPicture(at('deep16-again.png'))).toMatchObject({ image, tags });
    expect((await sharp(at('deep16-again.png')).metadata()).channels).toBe(channels);
  });

  test('grey profiles and CMYK go into no RGB file', async () => {
    await drawn()
      .removeAlpha()
      .toColourspace('cmyk')
      .withIccProfile('cmyk')
      .jpeg()
      .toFile(at('cmyk.jpg'));
    const { image, tags, notes } = await readPicture(at('cmyk.jpg'));
    expect([tags.icc, notes]).toEqual([null, ['The CMYK colours were converted to sRGB.']]);
    const wanted = await sharp(at('cmyk.jpg')).toColourspace('srgb').ensureAlpha().raw().toBuffer();
    expect(Buffer.from(image.data).equals(wanted)).toBe(true);
  });

  test('the format by name, whatever the extension', async () => {
    const image = noise(4, 4, () => 255);
    for (const format of ['png', 'jpeg', 'webp', 'avif'] as OutputFormat[]) {
      await writeImage(at('named.dat'), image, { format, quality: 50, tags: NO_TAGS });
      const found = await sharp(at('named.dat')).metadata();
      expect(found.format).toBe(format === 'avif' ? 'heif' : format);
    }
  });
});

describe('hostile files', async () => {
  test.each(await hostileFiles())('$name', async ({ name, file, size, code }) => {
    await writeFile(at(name), file);
    const start = performance.now();
    const outcome = await readPicture(at(name)).catch((error) => error);
    expect(performance.now() - start).toBeLessThan(10_000);
    // libvips can read TIFF files, and it accepts some damaged PNGs.
    if (name === 'photo.tiff') expect(outcome.image).toMatchObject({ width: 12, height: 12 });
    else if ('code' in outcome) expect(outcome).toMatchObject({ code });
    else expect([outcome.image.width, outcome.image.height]).toEqual(size);
  });
});
