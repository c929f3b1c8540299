import { decode } from 'fast-png';
import type { Rgba16Image } from '../../image/image.ts';
import { Bytes, pipe } from '../bytes.ts';
import { pngParts } from './pngParts.ts';

/**
 * Decodes a 16-bit PNG, interlaced or not, to its stored samples. Browsers would reduce them to 8
 * bits.
 *
 * @throws an error for a damaged file; CrispenError `ABORTED`
 */
export async function decodePng16(
  file: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<Rgba16Image> {
  await checkLength(file, signal);
  const { width, height, data, channels, transparency } = decode(file, { checkCrc: true });
  if (!(data instanceof Uint16Array)) throw new TypeError('no 16 bits per sample');
  if (channels === 4) return { width, height, data };
  const rgba = new Uint16Array(width * height * 4);
  const hasColour = channels > 2;
  const hasAlpha = channels % 2 === 0;
  for (let from = 0, to = 0; to < rgba.length; from += channels, to += 4) {
    for (let k = 0; k < 3; k++) rgba[to + k] = data[hasColour ? from + k : from];
    if (hasAlpha) rgba[to + 3] = data[from + channels - 1];
    // A PNG without an alpha channel can mark one colour as transparent.
    else {
      const isClear = transparency?.length && transparency.every((v, k) => v === data[from + k]);
      rgba[to + 3] = isClear ? 0 : 65535;
    }
  }
  return { width, height, data: rgba };
}

/**
 * Checks that the compressed data inflates to about as many bytes as an image of the stated size
 * needs. The decoder keeps all inflated bytes in memory, so a file with too much data could use up
 * the memory. A file with too little data is rejected before memory is allocated for the pixels.
 */
async function checkLength(
  file: Uint8Array<ArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = new Bytes(file);
  let length = 0;
  for (const { type, start, end } of pngParts(bytes)) if (type === 'IDAT') length += end - start;
  const data = new Uint8Array(length);
  let at = 0;
  for (const { type, start, end } of pngParts(bytes)) {
    if (type !== 'IDAT') continue;
    data.set(file.subarray(start, end), at);
    at += end - start;
  }
  const [width, height] = [bytes.u32be(16), bytes.u32be(20)];
  const pixels = width * height * 2 * (CHANNELS[bytes.at(25)] ?? 1);
  // Each row has one extra byte, its filter type. An interlaced file has seven passes and thus more
  // rows than the image.
  const limit = pixels + 8 * (width + height) + 64;
  let inflated = 0;
  const take = (part: Uint8Array) => {
    inflated += part.length;
  };
  await pipe([data], new DecompressionStream('deflate'), { limit, signal, take });
  if (inflated < pixels) throw new RangeError('fewer data than pixels');
}

/** The number of samples per pixel, by colour type. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };
