import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { embed } from '../codecs/embed.ts';
import { png } from '../codecs/png.ts';
import type { Sink } from '../codecs/sink.ts';
import { openSource } from '../codecs/source.ts';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image, RgbaImage } from '../image/image.ts';
import { isGrey, isOpaque, toRgba8, turn } from '../image/pixels.ts';
import { type DecodedImage, type ImageTags, NO_TAGS } from '../image/tags.ts';

type Sharp = typeof import('sharp');

/** What can be written; PNG by Crispen's own encoder. */
export const OUTPUT_FORMATS = ['png', 'jpeg', 'webp', 'avif'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

const EXTENSIONS: Readonly<Record<string, OutputFormat>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
  '.avif': 'avif',
};

export interface WriteOptions {
  /** Default: by the extension. */
  readonly format?: OutputFormat | undefined;
  /** 1 to 100 for all but PNG, default 92. */
  readonly quality?: number | undefined;
  /** Default: an sRGB image of which nothing else is known. */
  readonly tags?: ImageTags | undefined;
}

/** As `readPicture`, of 8 bits per sample and the pixels alone. */
export async function readImage(path: string): Promise<Rgba8Image> {
  return toRgba8((await readPicture(path)).image);
}

/**
 * Reads a JPEG, PNG or WebP file (or whatever else sharp decodes) as RGBA, upright as its EXIF
 * orientation says; grey images become RGB. The values of PNG, JPEG, WebP and AVIF files are those
 * stored, and the tags say what they mean; others become sRGB. 16 bits per sample for a PNG of 16.
 * @throws CrispenError `INVALID_INPUT` if the file cannot be read, `DECODE_FAILED` if it is no image,
 * `IMAGE_TOO_LARGE`.
 */
export async function readPicture(path: string): Promise<DecodedImage> {
  const sharp = await loadSharp();
  const bytes = await readBytes(path);
  const source = await openSource(Uint8Array.from(bytes), []);
  const { format, bits, bare, isRaw, orientation, tags, isAnimated, notes } = source;
  const isDeep = bits === 16 && isRaw;
  try {
    const { data, info } = await sharp(Buffer.concat(bare))
      // What is left to apply is that of formats that are not taken apart.
      .autoOrient()
      .toColourspace(isDeep ? 'rgb16' : 'srgb')
      .ensureAlpha()
      .raw({ depth: isDeep ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const samples = isDeep
      ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
      : new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength);
    const stored = { width: info.width, height: info.height, data: samples } as RgbaImage;
    const image = turn(stored, orientation);
    const grey = isGrey(image.data);
    return { image, tags: { ...tags, grey }, format, animated: isAnimated, notes };
  } catch (cause) {
    const what = format === 'unknown' ? 'an image' : `a ${format} file`;
    throw new CrispenError('DECODE_FAILED', `${path} is not ${what} that can be read.`, {
      hint: cause instanceof Error ? cause.message : 'JPEG, PNG and WebP files are understood.',
      cause,
    });
  }
}

/** @throws CrispenError `INVALID_INPUT` if the file cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CrispenError('INVALID_INPUT', `${path} cannot be read.`, {
      hint: cause instanceof Error ? cause.message : '',
      cause,
    });
  }
}

/**
 * Whether an output file can be written, asked before the long work: a known format, a folder that
 * exists, not the input itself.
 * @throws CrispenError `ENCODE_FAILED`, `INVALID_INPUT`.
 */
export async function checkOutput(
  output: string,
  input: string,
  format?: OutputFormat,
): Promise<void> {
  if (!format) formatOf(output);
  if (!(await identity(dirname(output)))) {
    throw new CrispenError('INVALID_INPUT', `The folder of ${output} does not exist.`);
  }
  const existing = await identity(output);
  if (existing !== null && existing === (await identity(input))) {
    throw new CrispenError('INVALID_INPUT', 'The output would overwrite the input.', {
      hint: 'Give the output another name.',
    });
  }
}

/** What stays the same under links and other spellings of a path; null if nothing is there. */
async function identity(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

/**
 * Writes an image with its tags; alpha is dropped where it is opaque throughout. 16 bits per sample
 * become 8 in all but PNG. The file appears whole or not at all.
 * @throws CrispenError `ENCODE_FAILED`.
 */
export async function writeImage(
  path: string,
  image: RgbaImage,
  { format = formatOf(path), quality = 92, tags = NO_TAGS }: WriteOptions = {},
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    const file = await encode(image, format, quality, tags);
    await writeFile(temporary, file);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new CrispenError('ENCODE_FAILED', `${path} could not be written.`, {
      hint: cause instanceof Error ? cause.message : '',
      cause,
    });
  }
}

/** A file that grows under another name and gets its own when it is whole. */
export async function fileSink(path: string): Promise<Sink<null>> {
  const temporary = temporaryOf(path);
  const file = await open(temporary, 'w');
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
    },
    async close() {
      await file.close();
      await rename(temporary, path);
      return null;
    },
    async abort() {
      await file.close().catch(() => {});
      await rm(temporary, { force: true });
    },
  };
}

const temporaryOf = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);

async function encode(
  image: RgbaImage,
  format: OutputFormat,
  quality: number,
  tags: ImageTags,
): Promise<Uint8Array> {
  const { width, height } = image;
  if (image.data.length !== width * height * 4) throw new RangeError('too few or too many pixels');
  if (format === 'png') {
    return new Uint8Array(await (await png.encode(image, 1, tags)).arrayBuffer());
  }
  const sharp = await loadSharp();
  const { data } = toRgba8(image);
  const pixels = sharp(data, { raw: { width, height, channels: 4 } });
  // JPEG has no alpha: what is transparent becomes white.
  const shown = format === 'jpeg' ? pixels.flatten({ background: '#fff' }) : pixels;
  const encoder = (isOpaque(data) ? pixels.removeAlpha() : shown).toFormat(format, {
    quality,
    ...(format !== 'webp' && { chromaSubsampling: '4:4:4' }),
  });
  return embed(Uint8Array.from(await encoder.toBuffer()), `image/${format}`, tags);
}

export function formatOf(path: string): OutputFormat {
  const extension = extname(path).toLowerCase();
  const format = Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : undefined;
  if (format) return format;
  throw new CrispenError('ENCODE_FAILED', `${path}: there is no output format "${extension}".`, {
    hint: `Use one of ${Object.keys(EXTENSIONS).join(', ')}, or say --format.`,
  });
}

export async function loadSharp(): Promise<Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new CrispenError('DECODE_FAILED', 'The image library sharp is not installed.', {
      hint: 'npm install sharp',
      cause,
    });
  }
}
