import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { chunk, SIGNATURE } from '../src/codecs/png/pngChunks.ts';
import type { ErrorCode } from '../src/errors.ts';

/** A file that causes errors in careless programs, and the expected outcome. */
export interface Hostile {
  readonly name: string;
  readonly file: Buffer;
  /** The image's size. Null if there is no correct result. */
  readonly size: readonly [width: number, height: number] | null;
  /** The error that is acceptable. Null if the file must be read as an image. */
  readonly code: ErrorCode | null;
}

/**
 * The side length of a smooth image, which is the same in every file. `rgb` contains R, G and B of
 * each pixel.
 */
export const SIDE = 12;
const rgb = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
  const [x, y] = [Math.floor(i / 3) % SIDE, Math.floor(i / 3 / SIDE)];
  return [20 * x, 20 * y, 10 * (x + y)][i % 3];
});
export const picture = () => sharp(rgb, { raw: { width: SIDE, height: SIDE, channels: 3 } });

/** Creates a PNG that claims any size and contains `bytes` zero bytes of data. */
function pngOf(
  width: number,
  height: number,
  depth: number,
  colour: number,
  bytes: number,
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour], 8);
  const data = deflateSync(Buffer.alloc(bytes), { level: 9 });
  const chunks = [chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([SIGNATURE, ...chunks]);
}

const whole = [SIDE, SIDE] as const;

/** Creates the files with an encoder that the tested code does not use. */
export async function hostileFiles(): Promise<Hostile[]> {
  const png = await picture().png().toBuffer();
  const jpeg = await picture().jpeg({ quality: 95 }).toBuffer();
  const webp = await picture().webp({ lossless: true }).toBuffer();
  const profileBomb = Buffer.concat([
    Buffer.from('bomb\0\0'),
    deflateSync(Buffer.alloc(2 ** 26), { level: 9 }),
  ]);
  return [
    { name: 'empty.png', file: Buffer.alloc(0), size: null, code: 'DECODE_FAILED' },
    { name: 'one-byte.jpg', file: Buffer.of(0xff), size: null, code: 'DECODE_FAILED' },
    { name: 'letter.png', file: Buffer.from('Dear reader,\n'), size: null, code: 'DECODE_FAILED' },
    { name: 'truncated.png', file: png.subarray(0, -30), size: null, code: 'DECODE_FAILED' },
    {
      name: 'truncated.jpg',
      file: jpeg.subarray(0, jpeg.length / 2),
      size: null,
      code: 'DECODE_FAILED',
    },
    { name: 'truncated.webp', file: webp.subarray(0, -20), size: null, code: 'DECODE_FAILED' },
    { name: 'header-only.png', file: png.subarray(0, 33), size: null, code: 'DECODE_FAILED' },
    { name: 'jpeg-inside.png', file: jpeg, size: whole, code: null },
    { name: 'png-inside.jpg', file: png, size: whole, code: null },
    { name: '1x1.png', file: pngOf(1, 1, 8, 2, 4), size: [1, 1], code: null },
    {
      name: '100000x1.png',
      file: pngOf(100_000, 1, 8, 0, 100_001),
      size: [100_000, 1],
      code: null,
    },
    { name: '1x9000.png', file: pngOf(1, 9000, 8, 0, 18_000), size: [1, 9000], code: null },
    {
      name: 'cmyk.jpg',
      file: await picture().toColourspace('cmyk').withIccProfile('cmyk').jpeg().toBuffer(),
      size: whole,
      code: null,
    },
    {
      name: 'cmyk-plain.jpg',
      file: await picture().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(),
      size: whole,
      code: null,
    },
    {
      name: 'interlaced.png',
      file: await picture().png({ progressive: true }).toBuffer(),
      size: whole,
      code: null,
    },
    {
      name: 'interlaced-16.png',
      file: await picture().toColourspace('rgb16').png({ progressive: true }).toBuffer(),
      size: whole,
      code: null,
    },
    { name: 'palette-trns.png', file: await paletteWithTransparency(), size: whole, code: null },
    {
      name: 'progressive.jpg',
      file: await picture().jpeg({ progressive: true, quality: 95 }).toBuffer(),
      size: whole,
      code: null,
    },
    {
      name: 'claims-100000x100000.png',
      file: pngOf(100_000, 100_000, 8, 2, 100),
      size: null,
      code: 'IMAGE_TOO_LARGE',
    },
    {
      name: 'bomb-20000x20000.png',
      file: pngOf(20_000, 20_000, 1, 0, 2501 * 20_000),
      size: null,
      code: 'IMAGE_TOO_LARGE',
    },
    {
      name: 'bomb-behind-8x8.png',
      file: pngOf(8, 8, 8, 2, 2 ** 27),
      size: [8, 8],
      code: 'DECODE_FAILED',
    },
    {
      name: 'bomb-behind-8x8-16.png',
      file: pngOf(8, 8, 16, 2, 2 ** 27),
      size: [8, 8],
      code: 'DECODE_FAILED',
    },
    {
      name: 'bomb-in-profile.png',
      file: Buffer.concat([png.subarray(0, 33), chunk('iCCP', profileBomb), png.subarray(33)]),
      size: whole,
      code: null,
    },
    {
      name: 'no-profile-at-all.jpg',
      file: Buffer.concat([
        jpeg.subarray(0, 2),
        Buffer.of(0xff, 0xe2, 0, 20),
        Buffer.from('ICC_PROFILE\0\x03\x09junk'),
        jpeg.subarray(2),
      ]),
      size: whole,
      code: null,
    },
    {
      name: 'bottomless-exif.jpg',
      file: Buffer.concat([
        jpeg.subarray(0, 2),
        Buffer.of(0xff, 0xe1, 0, 24),
        Buffer.from('Exif\0\0MM\0*\xff\xff\xff\xff\0\0\0\0\0\0\0\0', 'latin1'),
        jpeg.subarray(2),
      ]),
      size: whole,
      code: null,
    },
    { name: 'damaged.png', file: damaged(png, 41, 60), size: null, code: 'DECODE_FAILED' },
    {
      name: 'photo.tiff',
      file: await picture().tiff().toBuffer(),
      size: null,
      code: 'DECODE_FAILED',
    },
  ];
}

function damaged(file: Buffer, from: number, to: number): Buffer {
  return Buffer.from(file).fill(0, from, to);
}

/**
 * Creates a PNG with four colours. The second colour is transparent, and the third is half
 * transparent.
 */
async function paletteWithTransparency(): Promise<Buffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([8, 3], 8);
  const rows = Buffer.concat(
    Array.from({ length: SIDE }, () =>
      Buffer.of(0, ...Array.from({ length: SIDE }, (_, x) => Math.floor(x / 3))),
    ),
  );
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.of(200, 40, 30, 30, 200, 40, 40, 30, 200, 9, 9, 9)),
    chunk('tRNS', Buffer.of(255, 0, 128)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
