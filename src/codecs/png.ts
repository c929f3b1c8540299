import type { Rgba8Image } from '../image/image.ts';
import { isOpaque } from './decode.ts';
import type { Encoder } from './encoder.ts';

/**
 * PNG, lossless to the last bit: a canvas would destroy colours under low alpha, and none is needed.
 * 8 bits per channel, RGB when every pixel is opaque, else RGBA; marked as sRGB.
 * Source: the PNG specification, W3C, third edition.
 */
export const png: Encoder = {
  type: 'image/png',
  maxSide: 2 ** 31 - 1,
  encode: encodePng,
};

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const PERCEPTUAL_INTENT = 0;
/** Filtered bytes handed to the compressor at a time. */
const STRIP_BYTES = 2 ** 20;

async function encodePng(image: Rgba8Image): Promise<Blob> {
  const { width, height, data } = image;
  const channels = isOpaque(data) ? 3 : 4;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, channels === 3 ? 2 : 6, 0, 0, 0], 8);

  const parts = [SIGNATURE, chunk('IHDR', header), chunk('sRGB', Uint8Array.of(PERCEPTUAL_INTENT))];
  const deflate = new CompressionStream('deflate');
  const reading = (async () => {
    const reader = deflate.readable.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parts.push(chunk('IDAT', value));
    }
  })();
  const writer = deflate.writable.getWriter();
  for (const strip of filteredStrips(image, channels)) await writer.write(strip);
  await Promise.all([writer.close(), reading]);
  parts.push(chunk('IEND', new Uint8Array(0)));
  return new Blob(parts, { type: 'image/png' });
}

/** Filter type and filtered bytes row by row, many rows at a time. */
function* filteredStrips(
  { width, height, data }: Rgba8Image,
  channels: 3 | 4,
): Generator<Uint8Array<ArrayBuffer>> {
  const rowBytes = width * channels;
  const rows = Math.max(1, Math.floor(STRIP_BYTES / (rowBytes + 1)));
  let above = new Uint8Array(rowBytes);
  let row = new Uint8Array(rowBytes);
  for (let top = 0; top < height; top += rows) {
    const bottom = Math.min(top + rows, height);
    const strip = new Uint8Array((bottom - top) * (rowBytes + 1));
    for (let y = top; y < bottom; y++) {
      const pixels = data.subarray(y * width * 4, (y + 1) * width * 4);
      if (channels === 4) row.set(pixels);
      else {
        for (let i = 0, o = 0; i < pixels.length; i += 4) {
          row[o++] = pixels[i];
          row[o++] = pixels[i + 1];
          row[o++] = pixels[i + 2];
        }
      }
      filterRow(strip.subarray((y - top) * (rowBytes + 1)), row, above, channels);
      [above, row] = [row, above];
    }
    yield strip;
  }
}

/**
 * Writes the row with the filter whose residuals, read as signed bytes, have the least sum of
 * magnitudes: the heuristic that the PNG specification recommends (12.7).
 */
function filterRow(out: Uint8Array, row: Uint8Array, above: Uint8Array, channels: number): void {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let type = 0; type < FILTERS.length; type++) {
    const predict = FILTERS[type];
    let sum = 0;
    for (let i = 0; i < row.length && sum < least; i++) {
      const left = i < channels ? 0 : row[i - channels];
      const corner = i < channels ? 0 : above[i - channels];
      sum += Math.abs(((row[i] - predict(left, above[i], corner)) << 24) >> 24);
    }
    if (sum < least) [best, least] = [type, sum];
  }
  out[0] = best;
  const predict = FILTERS[best];
  for (let i = 0; i < row.length; i++) {
    const left = i < channels ? 0 : row[i - channels];
    const corner = i < channels ? 0 : above[i - channels];
    out[i + 1] = row[i] - predict(left, above[i], corner);
  }
}

/** None, Sub, Up, Average, Paeth: the prediction from the bytes to the left, above and diagonal. */
const FILTERS: readonly ((left: number, above: number, corner: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  (left, above, corner) => {
    const estimate = left + above - corner;
    const [toLeft, toAbove] = [Math.abs(estimate - left), Math.abs(estimate - above)];
    const toCorner = Math.abs(estimate - corner);
    if (toLeft <= toAbove && toLeft <= toCorner) return left;
    return toAbove <= toCorner ? above : corner;
  },
];

function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(data.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(data.length + 8, crc32(out.subarray(4, data.length + 8)));
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}
