import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';

type Sharp = typeof import('sharp');
type Encode = (image: import('sharp').Sharp) => import('sharp').Sharp;

const FORMATS: Readonly<Record<string, Encode>> = {
  '.png': (image) => image.png(),
  '.jpg': encodeJpeg,
  '.jpeg': encodeJpeg,
  '.webp': (image) => image.webp({ quality: 92 }),
};

/** JPEG has no alpha: what is transparent becomes white. */
function encodeJpeg(image: import('sharp').Sharp): import('sharp').Sharp {
  return image.flatten({ background: '#fff' }).jpeg({ quality: 92, chromaSubsampling: '4:4:4' });
}

/**
 * Reads a JPEG, PNG or WebP file (or whatever else sharp decodes) as 8-bit sRGB, upright as its EXIF
 * orientation says; grey images become RGB.
 * @throws CrispenError `INVALID_INPUT` if the file cannot be read, `DECODE_FAILED` if it is no image.
 */
export async function readImage(path: string): Promise<Rgba8Image> {
  const sharp = await loadSharp();
  const bytes = await readBytes(path);
  try {
    const { data, info } = await sharp(bytes)
      .autoOrient()
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return {
      width: info.width,
      height: info.height,
      data: new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength),
    };
  } catch (cause) {
    throw new CrispenError('DECODE_FAILED', `${path} is not an image that can be read.`, {
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
export async function checkOutput(output: string, input: string): Promise<void> {
  encoderOf(output);
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
 * Writes an image in the format of the file's extension; alpha is dropped where it is opaque
 * throughout. The file appears whole or not at all.
 * @throws CrispenError `ENCODE_FAILED`.
 */
export async function writeImage(path: string, image: Rgba8Image): Promise<void> {
  const encode = encoderOf(path);
  const sharp = await loadSharp();
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const pixels = sharp(image.data, {
      raw: { width: image.width, height: image.height, channels: 4 },
    });
    await writeFile(
      temporary,
      await encode(isOpaque(image) ? pixels.removeAlpha() : pixels).toBuffer(),
    );
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new CrispenError('ENCODE_FAILED', `${path} could not be written.`, {
      hint: cause instanceof Error ? cause.message : '',
      cause,
    });
  }
}

function isOpaque({ data }: Rgba8Image): boolean {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return false;
  return true;
}

function encoderOf(path: string): Encode {
  const extension = extname(path).toLowerCase();
  const encode = Object.hasOwn(FORMATS, extension) ? FORMATS[extension] : undefined;
  if (!encode) {
    throw new CrispenError('ENCODE_FAILED', `${path}: there is no output format "${extension}".`, {
      hint: `Use one of ${Object.keys(FORMATS).join(', ')}.`,
    });
  }
  return encode;
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
