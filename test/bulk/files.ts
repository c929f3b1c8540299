/** Creates folders of seeded good and bad files to enlarge in one run. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import type { ErrorCode } from '../../src/errors.ts';
import type { Rgba8Image } from '../../src/image/image.ts';
import { hostileFiles } from '../hostile.ts';
import { randomStream } from '../random.ts';
import { tiff } from '../tiff.ts';

/** A file that contains a picture. */
export interface Good {
  /** The path within the folder, with "/" as separator. */
  readonly relative: string;
  /** The result's path within the output folder. */
  readonly output: string;
  /** The seed for the pixels. Files with the same pixels have the same seed. */
  readonly seed: number;
}

/** A file for which there is no result. */
export interface Bad {
  readonly relative: string;
  /** The expected error. Null if the file is not a picture and does not claim to be one. */
  readonly code: ErrorCode | null;
}

/** A kind of bad file. If `file` is null, a symbolic link without a target is created. */
interface Way {
  readonly name: string;
  readonly file: Uint8Array | null;
  readonly code: ErrorCode | null;
}

const FORMATS = [
  { from: 'png', to: 'png' },
  { from: 'jpg', to: 'jpg' },
  { from: 'webp', to: 'webp' },
  { from: 'JPEG', to: 'JPEG' },
  { from: 'tiff', to: 'png' },
  { from: 'gif', to: 'png' },
] as const;

const FOLDERS = ['', 'a/', 'a/b c/', "d'q/", 'a/é/日本/', 'line\nbreak/', '-x/', '#%41/'];
const NAMES = ['p', 'with space', 'quo"te', "apo'strophe", 'new\nline', 'ü', 'e\u0301', '写真'];
const MORE_NAMES = [
  '-dash',
  '$(echo)',
  '{name}',
  'a;b&c',
  '🙂',
  'star*?',
  'back\\slash',
  'dot.jpg',
];

/** The size of large pictures. Small pictures have sides of 8 to 31 pixels. */
const LARGE = { width: 1400, height: 1000 };
/** This seed and all larger seeds produce large pictures. */
const LARGE_SEED = 1_000_000;

/** Creates the pixels for a seed. They are smooth, opaque, and different for each seed. */
export function pixelsOf(seed: number): Rgba8Image {
  const random = randomStream(seed + 17);
  const side = () => 8 + Math.floor(random() * 24);
  const { width, height } = seed >= LARGE_SEED ? LARGE : { width: side(), height: side() };
  const [a, b, c, d] = [random(), random(), random(), random()];
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    data[i * 4] = 128 + 100 * Math.sin(x * 0.2 + a * 6);
    data[i * 4 + 1] = 128 + 100 * Math.cos(y * 0.2 + b * 6);
    data[i * 4 + 2] = 255 * c + 60 * Math.sin((x + y) * 0.1 + d * 6);
    data[i * 4 + 3] = 255;
  }
  return { width, height, data };
}

async function encoded({ width, height, data }: Rgba8Image, format: string): Promise<Buffer> {
  const image = sharp(data, { raw: { width, height, channels: 4 } }).removeAlpha();
  switch (format.toLowerCase()) {
    case 'png':
      return image.png().toBuffer();
    case 'webp':
      return image.webp({ lossless: true }).toBuffer();
    case 'tiff':
      return image.tiff({ compression: 'lzw' }).toBuffer();
    case 'gif':
      return image.gif().toBuffer();
    default:
      return image.jpeg({ quality: 98, chromaSubsampling: '4:4:4' }).toBuffer();
  }
}

/** Returns twenty kinds of files that are not pictures. */
export async function badWays(): Promise<Way[]> {
  const hostile = (await hostileFiles()).filter(
    ({ size, code, name }) => size === null && code !== null && name !== 'photo.tiff',
  );
  const small = pixelsOf(3);
  const raw = { raw: { width: small.width, height: small.height, channels: 4 as const } };
  const avif = await sharp(small.data, raw).avif({ effort: 0 }).toBuffer();
  const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1');
  const odd = tiff({
    width: 4,
    height: 3,
    channels: 1,
    bits: 32,
    samples: 'float',
    value: () => 9,
  });
  const failed = (name: string, file: Uint8Array | string): Way => ({
    name,
    file: typeof file === 'string' ? Buffer.from(file) : file,
    code: 'DECODE_FAILED',
  });
  return [
    ...hostile,
    failed('page.jpg', '<!doctype html><title>404</title>'),
    failed('document.png', '%PDF-1.7\n1 0 obj\n'),
    failed('zeros.webp', Buffer.alloc(300)),
    failed('cut.avif', avif.subarray(0, avif.length / 2)),
    failed('cut.gif', 'GIF89a\x08\0\x08\0'),
    failed('phone.heic', heic),
    failed('measured.tiff', odd),
    { name: 'gone.png', file: null, code: 'INVALID_INPUT' },
    { name: 'notes.txt', file: Buffer.from('Dear diary'), code: null },
    { name: 'archive.zip', file: Buffer.from('PK\x03\x04zip'), code: null },
  ];
}

/**
 * Writes `count` files into a folder: `badCount` bad files, which rotate through twenty kinds, six
 * large pictures, and small pictures in six formats.
 */
export async function writeFiles(
  folder: string,
  count: number,
  badCount: number,
  seed: number,
): Promise<{ readonly good: Good[]; readonly bad: Bad[]; readonly largest: string }> {
  const random = randomStream(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
  const ways = await badWays();
  const good: Good[] = [];
  const bad: Bad[] = [];
  const write = async (relative: string, file: Uint8Array | null) => {
    const path = join(folder, relative);
    await mkdir(dirname(path), { recursive: true });
    await (file === null ? symlink('nowhere', path) : writeFile(path, file));
  };
  for (let i = 0; i < badCount; i++) {
    const { name, file, code } = ways[i % ways.length];
    const relative = `${pick(FOLDERS)}${i}-${name}`;
    await write(relative, file);
    bad.push({ relative, code });
  }
  const large = await encoded(pixelsOf(LARGE_SEED), 'jpg');
  let largest = '';
  const stride = Math.max(1, Math.floor((count - badCount) / 6));
  for (let i = 0; i < count - badCount; i++) {
    const isLarge = i % stride === stride >> 1;
    const { from, to } = isLarge ? FORMATS[1] : FORMATS[i % FORMATS.length];
    const stem = `${pick(FOLDERS)}${pick([...NAMES, ...MORE_NAMES])} ${i}`;
    const own = isLarge ? LARGE_SEED : i;
    await write(`${stem}.${from}`, isLarge ? large : await encoded(pixelsOf(own), from));
    if (isLarge) largest = `${stem}.${from}`;
    good.push({ relative: `${stem}.${from}`, output: `${stem}.${to}`, seed: own });
  }
  return { good, bad, largest };
}
