import { decode } from 'fast-png';
import type { Rgba16Image } from '../../image/image.ts';
import { Bytes, join } from '../bytes.ts';

/**
 * Decodes a 16-bit PNG, interlaced or not, to its stored samples. Browsers decode such files to 8
 * bits.
 *
 * @throws an error for a damaged file
 */
export async function decodePng16(file: Uint8Array<ArrayBuffer>): Promise<Rgba16Image> {
  await checkLength(file);
  const { width, height, data, channels, transparency } = decode(file, { checkCrc: true });
  if (!(data instanceof Uint16Array)) throw new TypeError('no 16 bits per sample');
  const rgba = new Uint16Array(width * height * 4);
  const hasColour = channels > 2;
  const hasAlpha = channels % 2 === 0;
  for (let from = 0, to = 0; to < rgba.length; from += channels, to += 4) {
    for (let k = 0; k < 3; k++) rgba[to + k] = data[hasColour ? from + k : from];
    if (hasAlpha) rgba[to + 3] = data[from + channels - 1];
    // Without alpha, one colour can be transparent.
    else {
      const isClear = transparency?.length && transparency.every((v, k) => v === data[from + k]);
      rgba[to + 3] = isClear ? 0 : 65535;
    }
  }
  return { width, height, data: rgba };
}

/**
 * Rejects data that inflate to more than the header's size needs, because the decoder holds all of
 * them.
 */
async function checkLength(file: Uint8Array<ArrayBuffer>): Promise<void> {
  const bytes = new Bytes(file);
  const parts: Uint8Array[] = [];
  for (let at = 8; at + 12 <= file.length; at += 12 + bytes.u32be(at)) {
    if (bytes.ascii(at + 4, 4) === 'IDAT') {
      parts.push(file.subarray(at + 8, at + 8 + bytes.u32be(at)));
    }
  }
  const [width, height] = [bytes.u32be(16), bytes.u32be(20)];
  // Rows of seven passes, each with one extra byte.
  const limit = (width * 8 + 1) * height + 8 * (width + height) + 64;
  await count(join(...parts), limit);
}

async function count(data: Uint8Array<ArrayBuffer>, limit: number): Promise<void> {
  let length = 0;
  const inflated = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate'));
  const reader = inflated.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new RangeError('more data than pixels');
    }
  }
}
