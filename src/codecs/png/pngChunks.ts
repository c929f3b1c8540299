/**
 * Builds the parts of a PNG file, for the encoders. Source: the PNG specification, W3C, third
 * edition.
 */
import type { ImageTags } from '../../image/tags.ts';
import { ascii, join, pipe } from '../bytes.ts';

export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** The colour types that Crispen writes: grey, RGB, grey with alpha, and RGBA. */
export type PngColour = 0 | 2 | 4 | 6;

/** Builds the first chunk. @param depth the number of bits per sample */
export function headerChunk(
  width: number,
  height: number,
  depth: 8 | 16,
  colour: PngColour,
): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(13);
  const view = new DataView(data.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  data.set([depth, colour, 0, 0, 0], 8);
  return chunk('IHDR', data);
}

const PERCEPTUAL_INTENT = 0;

/**
 * Returns the colour type. A grey image that has an RGB profile but no colour chunks is stored as
 * RGB, because a grey PNG cannot contain an RGB profile.
 */
export function colourType({ grey, icc, pngColours }: ImageTags, hasAlpha: boolean): PngColour {
  const isGrey = grey && (icc === null || pngColours !== null);
  return ((isGrey ? 0 : 2) + (hasAlpha ? 4 : 0)) as PngColour;
}

/**
 * Builds the chunks between the header and the pixels: colour space, EXIF and XMP. If an RGB image
 * has both colour chunks and a profile, both are written, because many programs read only profiles.
 */
export async function tagChunks(
  { icc, pngColours, exif, xmp }: ImageTags,
  colour: PngColour,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const isRgb = (colour & 2) !== 0;
  return [
    ...(pngColours ? [pngColours] : []),
    ...(icc && isRgb ? [await profileChunk(icc)] : []),
    ...(icc || pngColours ? [] : [chunk('sRGB', Uint8Array.of(PERCEPTUAL_INTENT))]),
    ...(exif ? [chunk('eXIf', exif)] : []),
    // The text is not compressed and has neither a language nor a translated keyword.
    ...(xmp ? [chunk('iTXt', join([ascii('XML:com.adobe.xmp\0\0\0\0\0'), xmp]))] : []),
  ];
}

/** @param icc an RGB profile, or a grey profile for a grey image */
export async function profileChunk(icc: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await pipe([icc], new CompressionStream('deflate'));
  return chunk('iCCP', join([ascii('ICC profile\0\0'), packed]));
}

/** Builds a chunk, which consists of its length, type, data and checksum. */
export function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(data.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(ascii(type), 4);
  out.set(data, 8);
  view.setUint32(data.length + 8, crc32(out.subarray(4, data.length + 8)));
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** Computes the CRC-32 (ISO 3309) that is stored at the end of each PNG chunk. */
export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}
