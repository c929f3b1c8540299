import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { embed } from '../codecs/embed.ts';
import { FORMATS, type FormatName } from '../codecs/formats.ts';
import { checkPixels, checkSides, MAX_PIXELS } from '../codecs/limits.ts';
import { png } from '../codecs/png/png.ts';
import { CONVERTED, openSource } from '../codecs/source.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { depthOf, type Rgba8Image, type RgbaImage } from '../image/image.ts';
import { isGrey, isOpaque, toRgba8, turn } from '../image/pixels.ts';
import { type DecodedImage, type ImageTags, NO_TAGS } from '../image/tags.ts';
import { decodeAvif } from './avif.ts';
import { decodeGif } from './gif.ts';
import { hdrToSrgb } from './hdr.ts';
import { findOutput, type Output, STDIO, writeOutput } from './output.ts';
import { FLOAT_NOTE, readUnusual } from './samples.ts';

type Sharp = typeof import('sharp');

export type OutputFormat = FormatName;

/** The output formats. PNG is written by Crispen's own encoder. */
export const OUTPUT_FORMATS: readonly OutputFormat[] = Object.values(FORMATS).map(
  ({ name }) => name,
);

const EXTENSIONS = new Map<string, OutputFormat>(
  Object.values(FORMATS).flatMap(({ name, extensions }) =>
    extensions.map((extension): [string, OutputFormat] => [`.${extension}`, name]),
  ),
);

/**
 * Returns the format for a file extension such as `.jpg` (in upper or lower case), or undefined if
 * Crispen cannot write files with this extension.
 */
export const writtenFormat = (extension: string): OutputFormat | undefined =>
  EXTENSIONS.get(extension.toLowerCase());

/** The message about 16-bit samples that were reduced to 8 bits for the output format. */
export const DEPTH_NOTE = 'The 16-bit samples became 8-bit ones: only PNG keeps them.';

/**
 * The options for reading with sharp. With `failOn: 'error'`, sharp rejects a file only if the
 * decoder reports an error. Files that only cause warnings are accepted, as in browsers. The limit
 * on the number of pixels is the same as in `openSource`.
 */
const READ = { failOn: 'error', limitInputPixels: MAX_PIXELS } as const;

export interface WriteOptions {
  /** The file format. By default, the file extension determines it. */
  readonly format?: OutputFormat | undefined;
  /** The quality from 1 to 100 for all formats except PNG; default 92. */
  readonly quality?: number | undefined;
  /** The tags of the image. Default: sRGB without metadata. */
  readonly tags?: ImageTags | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Like `readPicture`, but returns only the pixels, with 8 bits per sample. */
export async function readImage(path: string): Promise<Rgba8Image> {
  return toRgba8((await readPicture(path)).image);
}

/**
 * Reads a JPEG, PNG or WebP file (or another format that sharp decodes) as RGBA, rotated upright
 * according to its EXIF orientation. Grey images become RGB. For PNG, JPEG, WebP and AVIF files,
 * the values are returned as stored, and the tags describe their colour space. CMYK images and
 * images in other formats are converted to sRGB. 16-bit PNGs and TIFFs keep 16 bits per sample.
 * @param output the output format; HDR is kept only for PNG and is converted to sRGB for other
 *   formats
 * @throws CrispenError `IMAGE_TOO_LARGE`, `INVALID_INPUT` if the file cannot be read, or
 *   `DECODE_FAILED` if it cannot be decoded as an image.
 */
export async function readPicture(
  path: string,
  output: OutputFormat = 'png',
): Promise<DecodedImage> {
  return decodePicture(await readBytes(path), path, output);
}

/**
 * Like `readPicture`, but decodes a file's bytes.
 * @param name the file's name, for messages
 */
export async function decodePicture(
  bytes: Uint8Array,
  name: string,
  output: OutputFormat,
): Promise<DecodedImage> {
  const sharp = await loadSharp();
  const source = await openSource(new Uint8Array(bytes), { refused: [] });
  const { format, bits, bare, isRaw, orientation, isAnimated, hdr } = source;
  try {
    const tiff = format === 'TIFF' ? await sharp(bytes, READ).metadata() : null;
    const isDeep = (bits === 16 && isRaw) || tiff?.depth === 'ushort';
    const decode = async <Image extends RgbaImage>(file: Uint8Array): Promise<Image> => {
      const { data, info } = await sharp(file, READ)
        // This affects only formats whose EXIF data `openSource` leaves in the file, such as TIFF.
        .autoOrient()
        .toColourspace(isDeep ? 'rgb16' : 'srgb')
        .ensureAlpha()
        .raw({ depth: isDeep ? 'ushort' : 'uchar' })
        .toBuffer({ resolveWithObject: true });
      const samples = isDeep
        ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
        : new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength);
      return { width: info.width, height: info.height, data: samples } as RgbaImage as Image;
    };
    const file = Buffer.concat(bare);
    const unusual = format === 'TIFF' ? await readUnusual(sharp(file, READ)) : null;
    const stored =
      unusual ??
      (format === 'AVIF' && isRaw ? await decodeAvif(file, decode) : null) ??
      (format === 'GIF' ? await decodeGif(file, decode) : null) ??
      (await decode<RgbaImage>(file));
    const isConverted = hdr !== null && output !== 'png';
    const image = turn(isConverted ? hdrToSrgb(stored, hdr) : stored, orientation);
    const { exif, xmp } = source.tags;
    const tags = isConverted ? { ...NO_TAGS, exif, xmp } : source.tags;
    const notes = [
      ...source.notes,
      // If a TIFF has a colour profile, the decoder has already converted its values to sRGB.
      ...(isConverted || (tiff?.icc && !unusual) ? [CONVERTED] : []),
      ...(unusual ? [FLOAT_NOTE] : []),
      ...(depthOf(image) === 16 && output !== 'png' ? [DEPTH_NOTE] : []),
    ];
    const grey = isGrey(image.data);
    return { image, tags: { ...tags, grey }, format, animated: isAnimated, notes };
  } catch (cause) {
    if (cause instanceof CrispenError) throw cause;
    const what = format === 'unknown' ? 'an image' : `a ${format} file`;
    throw new CrispenError('DECODE_FAILED', `${name} is not ${what} that Crispen can read.`, {
      hint: cause instanceof Error ? cause.message : 'Crispen reads JPEG, PNG and WebP files.',
      cause,
    });
  }
}

/**
 * Reads all bytes of a file.
 * @param path the path of a file, or `-` for standard input
 * @throws CrispenError `INVALID_INPUT` if the file cannot be read.
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await (path === STDIO ? readStandardInput() : readFile(path));
  } catch (cause) {
    if (cause instanceof CrispenError) throw cause;
    throw new CrispenError('INVALID_INPUT', `${path} cannot be read.`, {
      hint: cause instanceof Error ? cause.message : '',
      cause,
    });
  }
}

async function readStandardInput(): Promise<Uint8Array> {
  if (process.stdin.isTTY) {
    throw new CrispenError('INVALID_INPUT', 'Standard input is a terminal.', {
      hint: 'Redirect a file to it: crispen - OUTPUT < INPUT.',
    });
  }
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part);
  return Buffer.concat(parts);
}

/**
 * Writes an image with its tags. The alpha channel is dropped if every pixel is opaque. 16-bit
 * samples are reduced to 8 bits in all formats except PNG. A regular file is created or replaced
 * only when the new file is complete.
 * @param output a path, or a destination that `findOutput` has checked
 * @throws CrispenError `ENCODE_FAILED`, `WRITE_FAILED`, and the errors of `findOutput`.
 */
export async function writeImage(
  output: string | Output,
  image: RgbaImage,
  options: WriteOptions = {},
): Promise<void> {
  const to = typeof output === 'string' ? await findOutput(output) : output;
  const { format = formatOf(to), signal } = options;
  const file = await encodeImage(image, format, options);
  throwIfAborted(signal);
  await writeOutput(to, file, signal);
}

/** Encodes an image with its tags as a file. @throws CrispenError `ENCODE_FAILED` */
export async function encodeImage(
  image: RgbaImage,
  format: OutputFormat,
  { quality = 92, tags = NO_TAGS }: Pick<WriteOptions, 'quality' | 'tags'> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await encode(image, format, quality, tags);
  } catch (cause) {
    throw new CrispenError('ENCODE_FAILED', `The ${format.toUpperCase()} file could not be made.`, {
      hint: cause instanceof Error ? cause.message : '',
      cause,
    });
  }
}

async function encode(
  image: RgbaImage,
  format: OutputFormat,
  quality: number,
  tags: ImageTags,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height } = image;
  if (image.data.length !== width * height * 4) throw new RangeError('too few or too many pixels');
  if (format === 'png') {
    return new Uint8Array(await (await png(image, 1, tags)).arrayBuffer());
  }
  const sharp = await loadSharp();
  const { data } = toRgba8(image);
  const raw = { width, height, channels: 4 } as const;
  const pixels = sharp(data, { raw, limitInputPixels: MAX_PIXELS });
  // JPEG has no alpha channel, so transparent pixels are drawn on white.
  const shown = format === 'jpeg' ? pixels.flatten({ background: '#fff' }) : pixels;
  const encoder = (isOpaque(data) ? pixels.removeAlpha() : shown).toFormat(format, {
    quality,
    ...(format !== 'webp' && { chromaSubsampling: '4:4:4' }),
  });
  return embed(new Uint8Array(await encoder.toBuffer()), `image/${format}`, tags);
}

/**
 * Checks that a format supports images of this size, before the time-consuming work begins.
 * @throws CrispenError `IMAGE_TOO_LARGE`
 */
export function checkFormat(format: OutputFormat, { width, height }: Size): void {
  checkSides(`image/${format}`, width, height);
  // PNGs are written strip by strip. Other formats need the whole image in memory.
  if (format !== 'png') checkPixels(width, height, `The ${format.toUpperCase()} file`);
}

/**
 * Returns the format for an output's file extension. If the extension is unknown, the function
 * throws for an output of the kind `file` and returns PNG for all other outputs, such as pipes.
 * @throws CrispenError `ENCODE_FAILED`
 */
export function formatOf({ name, kind }: Pick<Output, 'name' | 'kind'>): OutputFormat {
  const extension = extname(name).toLowerCase();
  const format = writtenFormat(extension);
  if (format) return format;
  if (kind !== 'file') return 'png';
  throw new CrispenError('ENCODE_FAILED', `${name}: there is no output format "${extension}".`, {
    hint: `Use one of ${[...EXTENSIONS.keys()].join(', ')}, or --format.`,
  });
}

export async function loadSharp(): Promise<Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new CrispenError('DECODE_FAILED', 'The image library sharp is not installed.', {
      hint: 'Run npm install sharp.',
      cause,
    });
  }
}
