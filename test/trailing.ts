import sharp from 'sharp';
import { chunk } from '../src/codecs/png/pngChunks.ts';

const [WIDTH, HEIGHT] = [32, 24];
const rgb = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
  const [x, y] = [Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH)];
  return [8 * x, 10 * y, 4 * (x + y)][i % 3];
});

/**
 * Returns an image in every readable format, some with a profile and EXIF. No BMP encoder is
 * available, so the BMP is assembled by hand.
 */
export async function everyFormat(): Promise<Record<string, Buffer>> {
  const picture = () => sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
  const tagged = () =>
    picture()
      .withIccProfile('p3')
      .withExifMerge({ IFD0: { Artist: 'me' } });
  return {
    'plain.png': await picture().png().toBuffer(),
    'tagged.png': await tagged().png().toBuffer(),
    'plain.jpg': await picture().jpeg().toBuffer(),
    'tagged.jpg': await tagged().jpeg({ progressive: true }).toBuffer(),
    'lossless.webp': await picture().webp({ lossless: true }).toBuffer(),
    'lossy.webp': await picture().webp().toBuffer(),
    'tagged.webp': await tagged().webp().toBuffer(),
    'plain.gif': await picture().gif().toBuffer(),
    'plain.avif': await picture().avif().toBuffer(),
    'tagged.avif': await picture().withIccProfile('p3').avif().toBuffer(),
    'plain.bmp': bmp(),
    'plain.tiff': await picture().tiff().toBuffer(),
  };
}

function bmp(): Buffer {
  const file = Buffer.alloc(54 + rgb.length);
  file.write('BM');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(WIDTH, 18);
  file.writeInt32LE(-HEIGHT, 22);
  file.set([1, 0, 24, 0], 26);
  file.set(
    rgb.map((_, i) => rgb[i - (i % 3) + 2 - (i % 3)]),
    54,
  );
  return file;
}

const odd = (length: number) =>
  Buffer.from(Array.from({ length }, (_, i) => ((i + 7) * 2654435761) >>> 24));
const box = (type: string, length: number) => {
  const whole = Buffer.alloc(8 + length);
  whole.writeUInt32BE(whole.length);
  whole.write(type, 4);
  return whole;
};
/** An orientation of 90 degrees, as a TIFF structure. */
const exif = Buffer.from('49492a0008000000010012010300010000000600000000000000', 'hex');

/**
 * Data that can follow the end of a file: arbitrary bytes, and data that looks like a part of the
 * file.
 */
export const TAILS: Readonly<Record<string, Buffer>> = {
  'one byte': odd(1),
  '37 bytes': odd(37),
  '100 bytes': odd(100),
  '5000 bytes': odd(5000),
  'a zero': Buffer.alloc(1),
  '5000 zeros': Buffer.alloc(5000),
  ones: Buffer.alloc(100, 255),
  text: Buffer.from('<html>'),
  'chunks of WebP': Buffer.concat([
    Buffer.from(`EXIF${String.fromCharCode(exif.length)}\0\0\0`, 'latin1'),
    exif,
    Buffer.from('XMP \x04\0\0\0none'),
  ]),
  'a chunk of WebP too long': Buffer.from('ICCP\xff\xff\xff\x7f', 'latin1'),
  'a chunk of PNG': Buffer.concat([
    chunk('eXIf', exif),
    chunk('gAMA', Buffer.of(0, 1, 0x86, 0xa0)),
    chunk('acTL', Buffer.alloc(8)),
  ]),
  'a segment of JPEG': Buffer.from('ffe1000a457869660000ffd9', 'hex'),
  'a box': box('free', 20),
  'a box of metadata': box('meta', 30),
};

/** Returns another image in the same format as in `everyFormat`, to append to a file. */
export function another(name: string): Promise<Buffer> | null {
  const format = name.replace(/.*\./, '');
  if (format === 'bmp') return null;
  const green = sharp({ create: { width: 50, height: 40, channels: 3, background: 'lime' } });
  return green
    .withExifMerge({ IFD0: { Artist: 'you' } })
    .toFormat(format as keyof sharp.FormatEnum)
    .toBuffer();
}
