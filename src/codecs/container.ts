import { ascii, Bytes, join, pipe } from './bytes.ts';
import { avifProperties, type Box } from './iso.ts';

/**
 * What PNG, JPEG, WebP and AVIF files hold beside their pixels. Sources: PNG third edition; ITU T.81,
 * ICC.1 annex B.4 and EXIF 2.32 for JPEG; RFC 9649 (WebP); ISO 23008-12 and ISO 14496-12 (AVIF).
 */
export interface Container {
  /** The profile as stored, uncompressed. */
  readonly icc: Uint8Array | null;
  /** Colour primaries and transfer function by ITU H.273. */
  readonly cicp: readonly [primaries: number, transfer: number] | null;
  /** Other statements on colours (PNG's gamma and primaries) that sRGB does not fulfil. */
  readonly isOdd: boolean;
  /** Of JPEG: four components, which are no RGB. */
  readonly isCmyk: boolean;
  /** Bits per sample, as far as the format has more than one choice. */
  readonly bits: number;
  /** A TIFF structure. */
  readonly exif: Uint8Array | null;
  readonly xmp: Uint8Array | null;
  readonly isAnimated: boolean;
  /**
   * The file for a decoder that is to hand out the stored values: without EXIF, whose orientation it
   * might or might not apply, and (`colours`) without anything by which it could convert them.
   */
  bare(colours: boolean): Uint8Array<ArrayBuffer>[];
}

const PLAIN = {
  ...{ icc: null, cicp: null, isOdd: false, isCmyk: false },
  ...{ bits: 8, exif: null, xmp: null, isAnimated: false },
} as const;

/** Profiles above this are taken for something else. */
const MAX_PROFILE = 2 ** 24;

type Reader = (data: Uint8Array<ArrayBuffer>) => Container | Promise<Container>;

const READERS: Readonly<Record<string, Reader>> = {
  PNG: readPng,
  JPEG: readJpeg,
  WebP: readWebp,
  AVIF: readAvif,
  GIF: readGif,
};

/** Never throws for damaged files: what cannot be read is not there. @param format of `readHeader` */
export async function readContainer(
  format: string,
  data: Uint8Array<ArrayBuffer>,
): Promise<Container> {
  try {
    const read = READERS[format];
    if (read) return await read(data);
  } catch {
    // Left to the decoder, which knows best whether it matters.
  }
  return { ...PLAIN, bare: () => [data] };
}

type Range = readonly [start: number, end: number];

/** The bytes outside of the ranges, which are in order. */
function without(
  data: Uint8Array<ArrayBuffer>,
  ranges: readonly Range[],
): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const [start, end] of ranges) {
    parts.push(data.subarray(at, start));
    at = end;
  }
  return [...parts, data.subarray(at)];
}

/** gAMA and cHRM of sRGB, in parts of 100,000. */
const SRGB_GAMMA = 45455;
const SRGB_CHROMATICITIES = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000];

async function readPng(data: Uint8Array<ArrayBuffer>): Promise<Container> {
  const bytes = new Bytes(data);
  const chunks = new Map<string, Range>();
  const [colours, texts]: Range[][] = [[], []];
  let xmp: Uint8Array | null = null;
  for (let at = 8; at + 12 <= data.length; ) {
    const type = bytes.ascii(at + 4, 4);
    const [start, end] = [at + 8, at + 8 + bytes.u32be(at)];
    if (end + 4 > data.length) break;
    if (!chunks.has(type)) chunks.set(type, [start, end]);
    if (['iCCP', 'cICP', 'sRGB', 'gAMA', 'cHRM'].includes(type)) colours.push([at, end + 4]);
    if (type === 'eXIf') texts.push([at, end + 4]);
    if (type === 'iTXt' || type === 'tEXt') xmp = (await pngXmp(bytes, start, end)) ?? xmp;
    at = end + 4;
  }
  const find = (type: string) => chunks.get(type)?.[0];
  const [profile, cicp, gamma, primaries] = ['iCCP', 'cICP', 'gAMA', 'cHRM'].map(find);
  const exif = chunks.get('eXIf');
  const near = (at: number, wanted: number) => Math.abs(bytes.u32be(at) - wanted) < 100;
  const told = profile !== undefined || cicp !== undefined || chunks.has('sRGB');
  const isSrgb =
    (gamma === undefined || near(gamma, SRGB_GAMMA)) &&
    (primaries === undefined || SRGB_CHROMATICITIES.every((v, i) => near(primaries + i * 4, v)));
  return {
    ...PLAIN,
    // A coding-independent code point comes before a profile, that before sRGB.
    icc: profile !== undefined && cicp === undefined ? await pngProfile(bytes, chunks) : null,
    cicp: cicp === undefined ? null : [bytes.at(cicp), bytes.at(cicp + 1)],
    isOdd: !told && !isSrgb,
    bits: bytes.at(24),
    exif: exif ? data.slice(...exif) : null,
    xmp,
    isAnimated: chunks.has('acTL'),
    bare: (all) => without(data, all ? [...colours, ...texts].sort(([a], [b]) => a - b) : texts),
  };
}

async function pngProfile(bytes: Bytes, chunks: Map<string, Range>): Promise<Uint8Array | null> {
  const [start, end] = chunks.get('iCCP')!;
  // A name, and one byte for the method of compression, of which there is one.
  const packed = bytes.data.slice(bytes.afterZero(start, end) + 1, end);
  try {
    return await pipe(packed, new DecompressionStream('deflate'), MAX_PROFILE);
  } catch {
    return null;
  }
}

async function pngXmp(bytes: Bytes, start: number, end: number): Promise<Uint8Array | null> {
  const key = 'XML:com.adobe.xmp\0';
  if (bytes.ascii(start, key.length) !== key) return null;
  // Some programs write it as plain text, which has none of the following.
  if (bytes.ascii(start - 4, 4) === 'tEXt') return bytes.data.slice(start + key.length, end);
  const flags = start + key.length;
  const language = flags + 2;
  const text = bytes.afterZero(bytes.afterZero(language, end), end);
  const stored = bytes.data.slice(text, end);
  if (bytes.at(flags) === 0) return stored;
  try {
    return await pipe(stored, new DecompressionStream('deflate'), MAX_PROFILE);
  } catch {
    return null;
  }
}

export const [EXIF_MARK, XMP_MARK, ICC_MARK] = [
  'Exif\0\0',
  'http://ns.adobe.com/xap/1.0/\0',
  'ICC_PROFILE\0',
];

function readJpeg(data: Uint8Array<ArrayBuffer>): Container {
  const bytes = new Bytes(data);
  const [profiles, texts]: Range[][] = [[], []];
  const parts: Uint8Array[] = [];
  let exif: Uint8Array | null = null;
  let xmp: Uint8Array | null = null;
  let [bits, components] = [8, 3];
  for (let at = 2; at + 4 <= data.length && bytes.at(at) === 0xff; ) {
    const marker = bytes.at(at + 1);
    if (marker === 0xff) {
      at++; // fill
      continue;
    }
    if (marker === 0xda || marker === 0xd9) break;
    const [body, end] = [at + 4, at + 2 + bytes.u16be(at + 2)];
    if (!(end <= data.length)) break;
    const begins = (mark: string) => bytes.ascii(body, mark.length) === mark;
    if (marker === 0xe1 && begins(EXIF_MARK)) {
      exif ??= data.slice(body + EXIF_MARK.length, end);
      texts.push([at, end]);
    } else if (marker === 0xe1 && begins(XMP_MARK)) {
      xmp ??= data.slice(body + XMP_MARK.length, end);
    } else if (marker === 0xe2 && begins(ICC_MARK)) {
      const number = bytes.at(body + ICC_MARK.length);
      parts[number] = data.subarray(body + ICC_MARK.length + 2, end);
      profiles.push([at, end]);
    } else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      bits = bytes.at(body);
      components = bytes.at(body + 5);
    }
    at = end;
  }
  // Numbered from 1; a profile with a part missing is none.
  const whole = parts.length > 1 && Array.from(parts.slice(1)).every(Boolean);
  return {
    ...PLAIN,
    icc: whole ? join(...parts.slice(1)) : null,
    isCmyk: components === 4,
    ...{ bits, exif, xmp },
    bare: (all) => without(data, all ? [...profiles, ...texts].sort(([a], [b]) => a - b) : texts),
  };
}

/** Bits of the feature byte of a VP8X chunk. */
export const WEBP = { icc: 0x20, alpha: 0x10, exif: 0x08, xmp: 0x04, animation: 0x02 } as const;

/** Chunks of a WebP file with their data. */
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
  const chunks = [...webpChunks(bytes)];
  const find = (type: string) => {
    const found = chunks.find((chunk) => chunk.type === type);
    return found ? data.slice(found.start, found.end) : null;
  };
  const features = chunks[0]?.type === 'VP8X' ? bytes.at(chunks[0].start) : 0;
  const exif = find('EXIF');
  // Some programs put JPEG's mark before the structure.
  const marked = exif && new Bytes(exif).ascii(0, 6) === EXIF_MARK;
  return {
    ...PLAIN,
    icc: find('ICCP'),
    exif: marked ? exif.subarray(6) : exif,
    xmp: find('XMP '),
    isAnimated: (features & WEBP.animation) !== 0,
    bare: (all) => {
      const dropped = ['EXIF', 'XMP ', ...(all ? ['ICCP'] : [])];
      const kept = without(
        data,
        chunks
          .filter(({ type }) => dropped.includes(type))
          .map(({ start, end }) => [start - 8, end + (end & 1)]),
      );
      const whole = join(...kept);
      new DataView(whole.buffer).setUint32(4, whole.length - 8, true);
      if (features) whole[20] &= ~(WEBP.exif | WEBP.xmp | (all ? WEBP.icc : 0));
      return [whole];
    },
  };
}

function readAvif(data: Uint8Array<ArrayBuffer>): Container {
  const bytes = new Bytes(data);
  const colours = avifProperties(bytes).filter(({ type }) => type === 'colr');
  const kind = ({ body }: Box) => bytes.ascii(body, 4);
  const profile = colours.find((box) => kind(box) === 'prof' || kind(box) === 'rICC');
  const nclx = colours.find((box) => kind(box) === 'nclx');
  return {
    ...PLAIN,
    icc: profile ? data.slice(profile.body + 4, profile.end) : null,
    cicp: nclx && !profile ? [bytes.u16be(nclx.body + 4), bytes.u16be(nclx.body + 6)] : null,
    isAnimated: bytes.ascii(8, 4) === 'avis',
    bare: (all) => {
      if (!all) return [data];
      const copy = data.slice();
      const view = new DataView(copy.buffer);
      for (const box of colours) {
        if (kind(box) === 'nclx') {
          // sRGB; the matrix behind these stays: without it there are no RGB values.
          view.setUint16(box.body + 4, 1);
          view.setUint16(box.body + 6, 13);
        } else copy.set(ascii('free'), box.start + 4);
      }
      return [copy];
    },
  };
}

function readGif(data: Uint8Array<ArrayBuffer>): Container {
  const bytes = new Bytes(data);
  const tableSize = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let frames = 0;
  let at = 13 + tableSize(bytes.at(10));
  const skipBlocks = () => {
    while (bytes.at(at) > 0) at += 1 + bytes.at(at);
    at++;
  };
  while (at < data.length && frames < 2) {
    const kind = bytes.at(at);
    if (kind === 0x21) at += 2;
    else if (kind === 0x2c) {
      frames++;
      at += 11 + tableSize(bytes.at(at + 9));
    } else break;
    skipBlocks();
  }
  return { ...PLAIN, isAnimated: frames > 1, bare: () => [data] };
}
