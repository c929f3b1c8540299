import { Bytes } from './bytes.ts';
import { gifFrames, lacksGifSamples } from './gif.ts';
import { avifProperties, isoBoxes } from './iso.ts';

/**
 * Reads the format and the size of an image from the first bytes of a file, without decoding. This
 * module does not depend on the platform, so it also works in Node.
 */

export type ImageFormat =
  | 'PNG'
  | 'JPEG'
  | 'WebP'
  | 'GIF'
  | 'BMP'
  | 'AVIF'
  | 'JPEG XL'
  | 'HEIC'
  | 'TIFF'
  | 'SVG'
  | 'PSD'
  | 'PDF'
  | 'JPEG 2000'
  | 'OpenEXR'
  | 'camera raw'
  | 'video'
  | 'text'
  | 'unknown';

type Size = readonly [width: number, height: number];

export interface ImageHeader {
  readonly format: ImageFormat;
  /**
   * The stored size in pixels, before any EXIF rotation. Null if the size cannot be read from this
   * file.
   */
  readonly size: Size | null;
}

const AVIF_BRANDS = new Set(['avif', 'avis']);
const HEIC_BRANDS = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis', 'mif1', 'msf1']);

/**
 * Determines a file's format from its magic bytes (never from its name or MIME type), and reads the
 * stored size.
 *
 * The size is read for PNG, JPEG, WebP, GIF, BMP, AVIF and JPEG XL. Source: the formats'
 * specifications (PNG 11.2.1, ITU T.81 B.2.2, RFC 9649, GIF89a 18, BITMAPCOREHEADER and
 * BITMAPINFOHEADER, ISO 23008-12 6.5.3, ISO 18181-1 D.2).
 */
export function readHeader(data: Uint8Array): ImageHeader {
  const bytes = new Bytes(data);
  const format = sniff(bytes);
  const size = SIZES[format]?.(bytes) ?? null;
  return { format, size: size?.every((side) => side > 0) ? size : null };
}

function sniff(bytes: Bytes): ImageFormat {
  const head = bytes.ascii(0, 4);
  if (head === '\x89PNG') return 'PNG';
  if (head.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (head === 'RIFF' && bytes.ascii(8, 4) === 'WEBP') return 'WebP';
  if (head === 'GIF8') return 'GIF';
  if (head.startsWith('\xff\x0a') || bytes.ascii(4, 4) === 'JXL ') return 'JPEG XL';
  if (head === 'II*\0' || head === 'MM\0*' || head === 'II+\0' || head === 'MM\0+') return 'TIFF';
  if (bytes.ascii(4, 4) === 'ftyp') {
    const brands = [bytes.ascii(8, 4)];
    const end = Math.min(bytes.u32be(0), bytes.data.length, 1024);
    for (let at = 16; at + 4 <= end; at += 4) brands.push(bytes.ascii(at, 4));
    if (brands.some((brand) => AVIF_BRANDS.has(brand))) return 'AVIF';
    if (brands.some((brand) => HEIC_BRANDS.has(brand))) return 'HEIC';
    return brands[0] === 'crx ' ? 'camera raw' : 'video';
  }
  if (head === '8BPS') return 'PSD';
  if (head === '%PDF') return 'PDF';
  if (head === '\xff\x4f\xff\x51' || bytes.ascii(4, 4) === 'jP  ') return 'JPEG 2000';
  if (head === 'v/1\x01') return 'OpenEXR';
  if (bytes.ascii(0, 8) === 'FUJIFILM') return 'camera raw';
  if (head === '\x1aE\xdf\xa3' || bytes.ascii(8, 4) === 'AVI ') return 'video';
  if (isText(bytes.data)) return /<svg[\s>]/.test(bytes.ascii(0, 1024)) ? 'SVG' : 'text';
  if (head.startsWith('BM')) return 'BMP';
  return 'unknown';
}

/**
 * Returns whether the data is text: it must contain no control characters except white space. Only
 * the first 512 bytes are checked.
 */
function isText(data: Uint8Array): boolean {
  const head = data.subarray(0, 512);
  return head.length > 0 && head.every((b) => b >= 32 || b === 9 || b === 10 || b === 13);
}

const SIZES: Partial<Record<ImageFormat, (bytes: Bytes) => Size | null>> = {
  PNG: (b) => [b.u32be(16), b.u32be(20)],
  GIF: (b) => {
    // Decoders enlarge the GIF's screen to fit the first frame, but not to fit later frames.
    const [frame] = gifFrames(b, 1);
    const [right, bottom] = frame ? [frame.x + frame.width, frame.y + frame.height] : [0, 0];
    return [Math.max(b.u16le(6), right || 0), Math.max(b.u16le(8), bottom || 0)];
  },
  BMP: (b) =>
    b.u32le(14) === 12
      ? [b.u16le(18), b.u16le(20)]
      : [b.u32le(18), Math.abs(b.u32le(22) | 0)] /* negative height: the top row comes first */,
  WebP: (b) => {
    const chunk = b.ascii(12, 4);
    if (chunk === 'VP8X') return [b.u24le(24) + 1, b.u24le(27) + 1];
    if (chunk === 'VP8 ') return [b.u16le(26) & 0x3fff, b.u16le(28) & 0x3fff];
    if (chunk !== 'VP8L') return null;
    const packed = b.u32le(21);
    return [(packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1];
  },
  JPEG: (b) => {
    for (const { marker, offset } of jpegSegments(b)) {
      const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
      if (isFrame) return [b.u16be(offset + 5), b.u16be(offset + 3)];
    }
    return null;
  },
  AVIF: (b) => {
    // An `ispe` property contains the size of one image. A large image can be stored as a grid of
    // smaller ones, which have `ispe` properties too. The largest size is that of the whole grid.
    const sizes = avifProperties(b)
      .filter(({ type }) => type === 'ispe')
      .map(({ body }) => [b.u32be(body + 4), b.u32be(body + 8)] as const);
    return sizes.sort((one, two) => two[0] * two[1] - one[0] * one[1])[0] ?? null;
  },
  'JPEG XL': (b) => {
    if (b.at(0) === 0xff) return jxlSize(b, 2);
    for (const { type, body } of isoBoxes(b, 0, b.data.length)) {
      if (type === 'jxlc') return jxlSize(b, body + 2);
      if (type === 'jxlp') return jxlSize(b, body + 6);
    }
    return null;
  },
};

/** The aspect ratios (width divided by height) that a JPEG XL header refers to by number. */
const JXL_RATIOS = [1, 1.2, 4 / 3, 1.5, 16 / 9, 1.25, 2];

/** Reads the size from a JPEG XL codestream. The least significant bit of each byte comes first. */
function jxlSize(bytes: Bytes, offset: number): Size {
  let bit = offset * 8;
  const read = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++, bit++)
      value += ((bytes.at(bit >> 3) >> (bit & 7)) & 1) * 2 ** i;
    return value;
  };
  const small = read(1) === 1;
  const side = () => (small ? (read(5) + 1) * 8 : read([9, 13, 18, 30][read(2)]) + 1);
  const height = side();
  const ratio = read(3);
  return [ratio === 0 ? side() : Math.floor(height * JXL_RATIOS[ratio - 1]), height];
}

/**
 * Finds a JPEG file's markers up to the end-of-image marker (EOI) or the end of the data. `offset`
 * is the position of the length field that follows the marker.
 */
function* jpegSegments(bytes: Bytes): Generator<{ marker: number; offset: number }> {
  let at = 2;
  for (;;) {
    at = bytes.data.indexOf(0xff, at);
    if (at < 0) return;
    const marker = bytes.at(++at);
    if (Number.isNaN(marker)) return;
    // Stuffed zeros and restart markers are part of the scan. A repeated 0xff is a fill byte.
    if (marker === 0x00 || marker === 0xff || (marker >= 0xd0 && marker <= 0xd7)) continue;
    yield { marker, offset: at + 1 };
    if (marker === 0xd9) return;
    at += 1 + (bytes.u16be(at + 1) || 0);
  }
}

/**
 * Returns whether the file is truncated. The criteria are: no EOI marker (JPEG), no IEND chunk
 * (PNG), fewer bytes than the RIFF header states (WebP), or fewer compressed bytes than the samples
 * need with the best compression (PNG, GIF). Returns false for other formats.
 *
 * Chromium rejects truncated files, and other browsers might paint the missing part grey. With this
 * check, every browser reports the same error, which states the cause. The check also prevents the
 * decoder from allocating a large image for a small file whose header states a false size. An EOI
 * inside an embedded thumbnail does not count, because segments are skipped by their length.
 */
export function isTruncated(format: ImageFormat, data: Uint8Array): boolean {
  const bytes = new Bytes(data);
  if (format === 'JPEG') {
    for (const { marker } of jpegSegments(bytes)) if (marker === 0xd9) return false;
    return true;
  }
  if (format === 'PNG') {
    let at = 8;
    let samples = 0;
    while (at + 8 <= data.length) {
      const type = bytes.ascii(at + 4, 4);
      if (type === 'IEND') return lacksPngSamples(bytes, samples);
      if (type === 'IDAT') samples += bytes.u32be(at);
      at += 12 + bytes.u32be(at);
    }
    return true;
  }
  if (format === 'GIF') return lacksGifSamples(bytes);
  return format === 'WebP' && data.length < bytes.u32le(4) + 8;
}

/**
 * The maximum number of decompressed bytes per byte of deflate data. Two bits, one for a length and
 * one for a distance, can represent 258 bytes.
 */
const DEFLATE_BYTES = 258 * 4;
/** The number of samples per pixel, by the colour type of a PNG. */
const PNG_SAMPLES = [1, Number.NaN, 3, 1, 2, Number.NaN, 4];

/** Returns whether a PNG has too few compressed bytes for all of its samples. */
function lacksPngSamples(bytes: Bytes, compressed: number): boolean {
  const bits = bytes.at(24) * PNG_SAMPLES[bytes.at(25)];
  return (bytes.u32be(16) * bytes.u32be(20) * bits) / 8 > compressed * DEFLATE_BYTES;
}
