/** Creates image files to mutate. Together, they contain everything that Crispen reads. */
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { ascii, join } from '../../src/codecs/bytes.ts';
import { chunk, SIGNATURE } from '../../src/codecs/png/pngChunks.ts';
import { displayP3 } from '../../src/codecs/profiles.ts';
import { animatedPng, avifSequence } from '../animations.ts';
import { concat } from '../checkpoints/forge.ts';

export type ImageName = 'png' | 'jpeg' | 'webp' | 'avif' | 'gif' | 'tiff' | 'bmp';

export interface ImageSeed {
  readonly format: ImageName;
  readonly bytes: Uint8Array;
  /** Whether the chunks' checksums are corrected after a change. */
  readonly isResealed?: boolean;
}

const [WIDTH, HEIGHT] = [24, 20];
const pixels = (channels: 3 | 4) =>
  Uint8Array.from({ length: WIDTH * HEIGHT * channels }, (_, i) => (i * 97 + (i >> 3)) % 256);
const picture = (channels: 3 | 4 = 3): Sharp =>
  sharp(pixels(channels), { raw: { width: WIDTH, height: HEIGHT, channels } });

const XMP =
  '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" exif:PixelXDimension="5"/></x:xmpmeta>';
const tagged = (image: Sharp): Sharp =>
  image
    .withIccProfile('p3')
    .withExif({ IFD0: { Artist: 'somebody', ImageWidth: '5' }, IFD2: { LensModel: 'pinhole' } })
    .withMetadata({ orientation: 6 })
    .withXmp(XMP);

/** Creates a BMP with 24 bits per pixel and rows from bottom to top. */
function bmp(): Uint8Array {
  const stride = (WIDTH * 3 + 3) & ~3;
  const file = new Uint8Array(54 + stride * HEIGHT).fill(99, 54);
  file.set(ascii('BM'));
  const view = new DataView(file.buffer);
  for (const [at, value] of [
    [2, file.length],
    [10, 54],
    [14, 40],
    [18, WIDTH],
    [22, HEIGHT],
    [34, stride * HEIGHT],
  ]) {
    view.setUint32(at, value, true);
  }
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  return file;
}

export async function imageSeeds(): Promise<readonly ImageSeed[]> {
  const bytes = async (image: Sharp) => new Uint8Array(await image.toBuffer());
  const png = await bytes(tagged(picture(4)).png());
  const packet = deflateSync(ascii(XMP));
  const packed = join([
    png.subarray(0, 33),
    chunk('gAMA', Uint8Array.of(0, 1, 0, 0)),
    chunk('cICP', Uint8Array.of(12, 13, 0, 1)),
    chunk('iTXt', join([ascii('XML:com.adobe.xmp\0\x01\0\0\0'), packet])),
    chunk('zTXt', join([ascii('Comment\0\0'), packet])),
    png.subarray(33),
  ]);
  const deep = await bytes(picture(4).toColourspace('rgb16').png());
  const laced = await bytes(picture().toColourspace('rgb16').png({ progressive: true }));
  const frames = await animatedPng(3, { isDefaultApart: true });
  const pngs = [png, packed, deep, laced, frames].flatMap((bytes) => [
    { format: 'png', bytes } as const,
    { format: 'png', bytes, isResealed: true } as const,
  ]);
  const gifs = sharp(join([pixels(3), pixels(3)]), {
    raw: { width: WIDTH, height: HEIGHT * 2, channels: 3, pageHeight: HEIGHT },
  });
  const webps = await gifs.clone().webp({ lossless: true }).toBuffer();
  return [
    ...pngs,
    { format: 'jpeg', bytes: await bytes(tagged(picture()).jpeg()) },
    { format: 'jpeg', bytes: await bytes(picture().jpeg({ progressive: true })) },
    { format: 'jpeg', bytes: await bytes(picture().toColourspace('cmyk').jpeg()) },
    { format: 'webp', bytes: await bytes(tagged(picture(4)).webp({ lossless: true })) },
    { format: 'webp', bytes: await bytes(tagged(picture()).webp()) },
    { format: 'webp', bytes: new Uint8Array(webps) },
    { format: 'avif', bytes: await bytes(picture(4).withIccProfile('p3').avif({ effort: 0 })) },
    { format: 'avif', bytes: avifSequence(3) },
    { format: 'gif', bytes: await bytes(gifs.clone().gif()) },
    { format: 'tiff', bytes: await bytes(tagged(picture()).tiff({ compression: 'lzw' })) },
    { format: 'tiff', bytes: await bytes(picture().toColourspace('rgb16').tiff()) },
    { format: 'bmp', bytes: bmp() },
  ];
}

/**
 * Fragments to insert: the profile and text entries from the files above, and markers and chunk
 * names from every format.
 */
export const IMAGE_CODE: readonly Uint8Array[] = [
  ...['IHDR', 'IDAT', 'IEND', 'acTL', 'fcTL', 'fdAT', 'iCCP', 'VP8X', 'ANMF', 'EXIF', 'XMP '],
  ...['meta', 'ipco', 'iprp', 'ispe', 'colr', 'moov', 'stsz', 'II*\0', 'MM\0*', 'acsp', 'RGB '],
  ...['\xff\xd8\xff\xe1\xff\xff', '\xff\xe2\0\x02', '\xff\xc0', '\xff\xda', '\xff\xd9'],
]
  .map((text) => ascii(text))
  .concat(displayP3());

/** Corrects the checksums of all complete chunks in a PNG. */
export function reseal(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [SIGNATURE];
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
    if (at + 12 + length > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    parts.push(chunk(type, bytes.subarray(at + 8, at + 8 + length)));
    at += 12 + length;
  }
  return concat(...parts, bytes.subarray(Math.min(at, bytes.length)));
}
