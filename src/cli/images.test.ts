import { link, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Rgba8Image } from '../image/image.ts';
import { checkOutput, readImage, writeImage } from './images.ts';

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

  test('EXIF orientation is applied', async () => {
    const image = noise(4, 2, () => 255);
    // 6: the camera was turned, the first stored row is the right column.
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

describe('the output is checked first', () => {
  test('an unknown extension', async () => {
    await expect(checkOutput(at('out.xyz'), at('in.png'))).rejects.toMatchObject({
      code: 'ENCODE_FAILED',
    });
  });

  test('a folder that is not there', async () => {
    await expect(checkOutput(at('no/out.png'), at('in.png'))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  test('the input by any name', async () => {
    await writeImage(
      at('in.png'),
      noise(1, 1, () => 255),
    );
    await symlink(at('in.png'), at('symbolic.png'));
    await link(at('in.png'), at('hard.png'));
    for (const name of ['in.png', './in.png', 'symbolic.png', 'hard.png']) {
      await expect(checkOutput(`${folder}/${name}`, at('in.png'))).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      });
    }
    await expect(checkOutput(at('new.png'), at('in.png'))).resolves.toBeUndefined();
  });
});
