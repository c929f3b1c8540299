import { CrispenError } from '../errors.ts';
import { ascii, Bytes, join, pipe } from './bytes.ts';
import { edited } from './edits.ts';
import { isMoving } from './frames.ts';
import type { ImageFormat } from './header.ts';
import { avifProperties, type Box, isoBoxes } from './iso.ts';
import { stillOf } from './png/pngAnimation.ts';
import { chunk } from './png/pngChunks.ts';
import { type PngPart, pngParts } from './png/pngParts.ts';

/**
 * The contents of a PNG, JPEG, WebP or AVIF file apart from the pixels. Sources: PNG third edition;
 * ITU T.81, ICC.1 annex B.4 and EXIF 2.32 for JPEG; RFC 9649 (WebP); ISO 23008-12 and ISO 14496-12
 * (AVIF).
 */
export interface Container {
  /** The file's colour profile, uncompressed. */
  readonly icc: Uint8Array | null;
  /**
   * The H.273 code points of the primaries and the transfer function. Null if they are missing or
   * invalid, or if an AVIF file also contains a profile.
   */
  readonly cicp: CodePoints | null;
  /** The values of a PNG's gAMA and cHRM chunks, unless an sRGB chunk overrides them. */
  readonly gamma: Gamma | null;
  /** The PNG chunks cICP, gAMA, cHRM, mDCV and cLLI in their stored form, concatenated. */
  readonly chunks: Uint8Array<ArrayBuffer> | null;
  /** Whether the file stores grey pixels. */
  readonly isGrey: boolean;
  /** Whether the file is a JPEG with four colour components (CMYK or YCCK). */
  readonly isCmyk: boolean;
  /** The number of bits per sample. It is always 8 for formats other than PNG, JPEG and AVIF. */
  readonly bits: number;
  /** The EXIF data, as a TIFF structure. */
  readonly exif: Uint8Array | null;
  readonly xmp: Uint8Array<ArrayBuffer> | null;
  /**
   * For an animated file, the image that decoders return for the output of `bare`. Null if the file
   * has a single image.
   */
  readonly animation: 'first frame' | 'still picture' | null;
  /**
   * Returns the file in parts. EXIF is removed from PNG, JPEG and WebP files, because decoders
   * differ in how they apply the EXIF orientation. If `colours` is true, everything that could make
   * a decoder convert values is also removed, so that the decoder returns the stored values.
   */
  bare(colours: boolean): Uint8Array<ArrayBuffer>[];
}

export type CodePoints = readonly [primaries: number, transfer: number];

export interface Gamma {
  /** Sample values are proportional to the light intensity raised to this power. */
  readonly exponent: number;
  /** The x and y coordinates of white, red, green and blue. */
  readonly chromaticities: readonly number[] | null;
}

const PLAIN = {
  icc: null,
  cicp: null,
  gamma: null,
  chunks: null,
  isGrey: false,
  isCmyk: false,
  bits: 8,
  exif: null,
  xmp: null,
  animation: null,
} as const;

/**
 * The maximum sizes in bytes of a PNG's profile and its XMP packet after decompression. Larger data
 * is treated as damaged. libpng has a similar limit for profiles.
 */
const MAX_PROFILE = 2 ** 23;
const MAX_XMP = 2 ** 20;

type Reader = (
  data: Uint8Array<ArrayBuffer>,
  signal: AbortSignal | undefined,
) => Container | Promise<Container>;

const READERS: Partial<Record<ImageFormat, Reader>> = {
  PNG: readPng,
  JPEG: readJpeg,
  WebP: readWebp,
  AVIF: readAvif,
};

/**
 * For three formats, a function that finds the end of the image in a file. A file can contain more
 * bytes after the image, for example padding, a second image or a second file. Decoders ignore
 * these bytes. Without this table, the readers for the three formats would treat the bytes as part
 * of the image. The reader for JPEG files stops at the right place by itself.
 */
const ENDS: Partial<Record<ImageFormat, (bytes: Bytes) => number>> = {
  PNG: pngEnd,
  WebP: (bytes) => 8 + bytes.u32le(4),
  AVIF: avifEnd,
};

/**
 * Reads a file without decoding its pixels. Damaged files never cause an error, because unreadable
 * parts are treated as missing. The memory use is bounded by the length of the file, not by the
 * sizes that the file states.
 * @param format the format that `readHeader` found
 * @throws CrispenError `ABORTED`
 */
export async function readContainer(
  format: ImageFormat,
  data: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<Container> {
  const plain = { ...PLAIN, bare: () => [data] };
  try {
    const whole = data.subarray(0, ENDS[format]?.(new Bytes(data)));
    const container = (await READERS[format]?.(whole, signal)) ?? plain;
    const animation = container.animation ?? 'first frame';
    return { ...container, animation: isMoving(format, whole) ? animation : null };
  } catch (error) {
    if (error instanceof CrispenError) throw error;
    // Other errors mean that the file is damaged. The decoder determines whether that matters.
  }
  return plain;
}

/**
 * The PNG chunks that describe the samples' colours, except iCCP and sRGB, with the length of each
 * chunk's data in bytes.
 */
const COLOUR_CHUNKS: Readonly<Record<string, number>> = {
  cICP: 4,
  gAMA: 4,
  cHRM: 32,
  mDCV: 24,
  cLLI: 8,
};

function pngEnd(bytes: Bytes): number {
  for (const { type, next } of pngParts(bytes)) if (type === 'IEND') return next;
  return bytes.data.length;
}

/**
 * Returns the offset at which a second file begins, or the length of the data if there is none. A
 * file contains only one `ftyp` and one `meta` box, so a second box of either type belongs to
 * another file. Some decoders would nevertheless read that box as a part of the first file.
 */
function avifEnd(bytes: Bytes): number {
  const seen = new Set<string>();
  for (const { type, start } of isoBoxes(bytes, 0, bytes.data.length)) {
    if (type !== 'ftyp' && type !== 'meta') continue;
    if (seen.has(type)) return start;
    seen.add(type);
  }
  return bytes.data.length;
}

/**
 * The chunks with text and EXIF. `bare` removes them, because decoders do not need text and must
 * not apply EXIF.
 */
const PNG_TEXTS: readonly string[] = ['eXIf', 'iTXt', 'tEXt', 'zTXt'];

const isPngColour = (type: string): boolean =>
  type in COLOUR_CHUNKS || type === 'iCCP' || type === 'sRGB';

async function readPng(
  data: Uint8Array<ArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<Container> {
  const bytes = new Bytes(data);
  /** The first chunk of each type that this reader needs. */
  const parts = new Map<string, PngPart>();
  let packet: PngPart | null = null;
  for (const part of pngParts(bytes)) {
    const { type } = part;
    const isColour = isPngColour(type);
    const isRead = isColour || type === 'eXIf' || type === 'IDAT';
    // Like all decoders, this reader ignores colour chunks that follow the pixels.
    if (isRead && !parts.has(type) && !(isColour && parts.has('IDAT'))) parts.set(type, part);
    if (!packet && isXmp(bytes, part)) packet = part;
  }
  const read = (type: string) => {
    const part = parts.get(type);
    const isWhole = part && part.end - part.start === COLOUR_CHUNKS[type];
    return isWhole ? data.subarray(part.start, part.end) : null;
  };
  const kept = Object.keys(COLOUR_CHUNKS).flatMap((type) => {
    const found = read(type);
    return found ? [chunk(type, found)] : [];
  });
  const profile = parts.get('iCCP');
  const exif = parts.get('eXIf');
  const { animation, edits } = stillOf(bytes);
  return {
    ...PLAIN,
    icc: profile ? await pngProfile(bytes, profile, signal) : null,
    cicp: pngCodePoints(read('cICP')),
    gamma: parts.has('sRGB') ? null : pngGamma(read('gAMA'), read('cHRM')),
    chunks: kept.length > 0 ? join(kept) : null,
    isGrey: (bytes.at(25) & 2) === 0,
    bits: bytes.at(24),
    exif: exif ? data.slice(exif.start, exif.end) : null,
    xmp: packet ? await pngXmp(bytes, packet, signal) : null,
    animation,
    bare: (all) => {
      const toStill = edits();
      return edited(data, pngParts(bytes), (part) => {
        const { type, at, next } = part;
        const isDropped = PNG_TEXTS.includes(type) || (all && isPngColour(type));
        return isDropped ? [at, next] : toStill(part);
      });
    },
  };
}

/**
 * Reads the code points. Returns null for a YCbCr matrix or a limited range, which are not valid in
 * a PNG.
 */
function pngCodePoints(cicp: Uint8Array | null): CodePoints | null {
  if (!cicp) return null;
  const [primaries, transfer, matrix, isFullRange] = cicp;
  return matrix === 0 && isFullRange === 1 ? [primaries, transfer] : null;
}

/**
 * Reads the gamma and the chromaticities. As in browsers, chromaticities without a gamma are
 * ignored.
 */
function pngGamma(gamma: Uint8Array | null, primaries: Uint8Array | null): Gamma | null {
  const parts = (data: Uint8Array) =>
    Array.from({ length: data.length / 4 }, (_, i) => new Bytes(data).u32be(i * 4) / 100_000);
  const [exponent] = gamma ? parts(gamma) : [0];
  return exponent > 0 ? { exponent, chromaticities: primaries && parts(primaries) } : null;
}

/** Inflates data. Returns null if the data is damaged or inflates to more bytes than the limit. */
async function inflated(
  packed: Uint8Array<ArrayBuffer>,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return await pipe([packed], new DecompressionStream('deflate'), { limit, signal });
  } catch (error) {
    if (error instanceof CrispenError) throw error;
    return null;
  }
}

async function pngProfile(
  bytes: Bytes,
  { start, end }: PngPart,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer> | null> {
  // Before the compressed profile, the chunk contains a zero-terminated name and one byte for the
  // compression method. PNG defines only one method.
  const packed = bytes.data.slice(bytes.afterZero(start, end) + 1, end);
  return inflated(packed, MAX_PROFILE, signal);
}

const XMP_KEY = 'XML:com.adobe.xmp\0';

/** Some programs write XMP to a tEXt chunk instead of an iTXt chunk. */
const isXmp = (bytes: Bytes, { type, start }: PngPart): boolean =>
  (type === 'iTXt' || type === 'tEXt') && bytes.ascii(start, XMP_KEY.length) === XMP_KEY;

async function pngXmp(
  bytes: Bytes,
  { type, start, end }: PngPart,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const flags = start + XMP_KEY.length;
  // In a tEXt chunk, the text follows the key directly. An iTXt chunk has other fields in between.
  if (type === 'tEXt') return bytes.data.slice(flags, end);
  const language = flags + 2;
  const text = bytes.afterZero(bytes.afterZero(language, end), end);
  const stored = bytes.data.slice(text, end);
  return bytes.at(flags) === 0 ? stored : inflated(stored, MAX_XMP, signal);
}

export const [EXIF_MARK, XMP_MARK, ICC_MARK] = [
  'Exif\0\0',
  'http://ns.adobe.com/xap/1.0/\0',
  'ICC_PROFILE\0',
];

interface Segment {
  /** The marker of the segment; 0 for bytes between segments. */
  readonly marker: number;
  readonly at: number;
  readonly body: number;
  readonly end: number;
}

/** Finds the segments that precede the scan in a JPEG file. */
function* jpegSegments({ data }: Bytes): Generator<Segment> {
  for (let at = 2; at + 4 <= data.length; ) {
    const marker = data[at + 1];
    if (data[at] !== 0xff || marker === 0) {
      // Decoders skip stray bytes between segments. This function yields them like a segment, so
      // that `bare` removes them. Otherwise, when `bare` removes the first segment, stray bytes
      // could directly follow the start marker, and decoders might not recognise the JPEG.
      let next = at + 1;
      while (next < data.length && data[next] !== 0xff) next++;
      if (next === data.length) return;
      yield { marker: 0, at, body: at, end: next };
      at = next;
    } else if (marker === 0xff) {
      at++; // a fill byte
    } else {
      if (marker === 0xda || marker === 0xd9) return;
      const end = at + 2 + data[at + 2] * 256 + data[at + 3];
      if (end > data.length) return;
      yield { marker, at, body: at + 4, end };
      at = end;
    }
  }
}

function readJpeg(data: Uint8Array<ArrayBuffer>): Container {
  const bytes = new Bytes(data);
  const begins = ({ body }: Segment, mark: string) => bytes.ascii(body, mark.length) === mark;
  const isExif = (segment: Segment) => segment.marker === 0xe1 && begins(segment, EXIF_MARK);
  const isProfile = (segment: Segment) => segment.marker === 0xe2 && begins(segment, ICC_MARK);
  const parts: Uint8Array[] = [];
  let exif: Uint8Array | null = null;
  let xmp: Uint8Array<ArrayBuffer> | null = null;
  let [bits, components] = [8, 3];
  for (const segment of jpegSegments(bytes)) {
    const { marker, body, end } = segment;
    if (isExif(segment)) exif ??= data.slice(body + EXIF_MARK.length, end);
    else if (marker === 0xe1 && begins(segment, XMP_MARK)) {
      xmp ??= data.slice(body + XMP_MARK.length, end);
    } else if (isProfile(segment)) {
      const number = bytes.at(body + ICC_MARK.length);
      parts[number] = data.subarray(body + ICC_MARK.length + 2, end);
    } else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      bits = bytes.at(body);
      components = bytes.at(body + 5);
    }
  }
  // The parts of a profile are numbered from 1. If a part is missing, the profile is ignored.
  const whole = parts.length > 1 && Array.from(parts.slice(1)).every(Boolean);
  return {
    ...PLAIN,
    icc: whole ? join(parts.slice(1)) : null,
    isGrey: components === 1,
    isCmyk: components === 4,
    bits,
    exif,
    xmp,
    bare: (all) =>
      edited(data, jpegSegments(bytes), (segment) => {
        const isStray = segment.marker === 0;
        const isDropped = isStray || isExif(segment) || (all && isProfile(segment));
        return isDropped ? [segment.at, segment.end] : undefined;
      }),
  };
}

/** The bits in a VP8X chunk's feature byte. */
export const WEBP = { icc: 0x20, alpha: 0x10, exif: 0x08, xmp: 0x04 } as const;

/** Finds the chunks of a WebP file and the offsets of their data. */
export function* webpChunks(bytes: Bytes): Generator<{ type: string; start: number; end: number }> {
  for (let at = 12; at + 8 <= bytes.data.length; ) {
    const [start, end] = [at + 8, at + 8 + bytes.u32le(at + 4)];
    if (end > bytes.data.length) return;
    yield { type: bytes.ascii(at, 4), start, end };
    at = end + (end & 1);
  }
}

function readWebp(data: Uint8Array<ArrayBuffer>): Container {
  const bytes = new Bytes(data);
  const found = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { type, start, end } of webpChunks(bytes)) {
    const isRead = type === 'ICCP' || type === 'EXIF' || type === 'XMP ';
    if (isRead && !found.has(type)) found.set(type, data.slice(start, end));
  }
  const exif = found.get('EXIF') ?? null;
  // Some programs begin the EXIF chunk with the EXIF marker of JPEG files.
  const marked = exif && new Bytes(exif).ascii(0, 6) === EXIF_MARK;
  return {
    ...PLAIN,
    icc: found.get('ICCP') ?? null,
    exif: marked ? exif.subarray(6) : exif,
    xmp: found.get('XMP ') ?? null,
    bare: (all) => {
      const parts = edited(data, webpChunks(bytes), ({ type, start, end }) => {
        const isDropped = type === 'EXIF' || type === 'XMP ' || (all && type === 'ICCP');
        return isDropped ? [start - 8, end + (end & 1)] : undefined;
      });
      const whole = join(parts);
      new DataView(whole.buffer).setUint32(4, whole.length - 8, true);
      const isExtended = bytes.ascii(12, 4) === 'VP8X';
      if (isExtended) whole[20] &= ~(WEBP.exif | WEBP.xmp | (all ? WEBP.icc : 0));
      return [whole];
    },
  };
}

/** The bits in an av1C box's third byte. */
const AV1 = { highDepth: 0x40, twelveBit: 0x20, monochrome: 0x10 } as const;

/**
 * The code points of camera transfer functions. For still images, browsers use the sRGB function
 * instead.
 */
const CAMERA_CURVES: readonly number[] = [1, 6, 14, 15];

function avifCodePoints(bytes: Bytes, nclx: Box): CodePoints {
  const [primaries, transfer] = [bytes.u16be(nclx.body + 4), bytes.u16be(nclx.body + 6)];
  const isLikeSrgb = transfer === 2 || CAMERA_CURVES.includes(transfer);
  return [primaries === 2 ? 1 : primaries, isLikeSrgb ? 13 : transfer];
}

function readAvif(data: Uint8Array<ArrayBuffer>): Container {
  const bytes = new Bytes(data);
  const properties = avifProperties(bytes);
  const colours = properties.filter(({ type }) => type === 'colr');
  const kind = ({ body }: Box) => bytes.ascii(body, 4);
  const profile = colours.find((box) => kind(box) === 'prof' || kind(box) === 'rICC');
  const nclx = colours.find((box) => kind(box) === 'nclx');
  const config = properties.find(({ type }) => type === 'av1C');
  const flags = config ? bytes.at(config.body + 2) : 0;
  return {
    ...PLAIN,
    icc: profile ? data.slice(profile.body + 4, profile.end) : null,
    cicp: nclx && !profile ? avifCodePoints(bytes, nclx) : null,
    isGrey: (flags & AV1.monochrome) !== 0,
    bits: (flags & AV1.highDepth) === 0 ? 8 : (flags & AV1.twelveBit) === 0 ? 10 : 12,
    bare: (all) => {
      if (!all) return [data];
      const copy = data.slice();
      const view = new DataView(copy.buffer);
      for (const box of colours) {
        if (kind(box) === 'nclx') {
          // The primaries and the transfer function are replaced with those of sRGB. The code of
          // the YCbCr matrix is kept, because decoders need it to compute RGB values.
          view.setUint16(box.body + 4, 1);
          view.setUint16(box.body + 6, 13);
        } else copy.set(ascii('free'), box.start + 4);
      }
      return [copy];
    },
  };
}
