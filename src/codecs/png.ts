import { depthOf, type RgbaImage } from '../image/image.ts';
import { isOpaque } from '../image/pixels.ts';
import type { ImageTags } from '../image/tags.ts';
import type { Encoder } from './encoder.ts';
import { chunk, headerChunk, type PngColour, SIGNATURE, tagChunks } from './pngChunks.ts';

/**
 * PNG, lossless to the last bit: a canvas would destroy colours under low alpha, and none is needed.
 * 8 or 16 bits per sample as the image has; grey where the tags say so, with alpha unless every
 * pixel is opaque. Source: the PNG specification, W3C, third edition.
 */
export const png: Encoder = {
  type: 'image/png',
  maxSide: 2 ** 31 - 1,
  encode: (image, _quality, tags) => encodePng(image, tags),
};

/** Filtered bytes handed to the compressor at a time. */
const STRIP_BYTES = 2 ** 20;

async function encodePng(image: RgbaImage, tags: ImageTags): Promise<Blob> {
  const { width, height, data } = image;
  const colour = ((tags.grey ? 0 : 2) + (isOpaque(data) ? 0 : 4)) as PngColour;
  const depth = depthOf(image);
  const parts = [SIGNATURE, headerChunk(width, height, depth, colour), ...(await tagChunks(tags))];
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
  const rows = new PngRows(width, depth, colour);
  const stripRows = Math.max(1, Math.floor(STRIP_BYTES / rows.bytes));
  for (let top = 0; top < height; top += stripRows) {
    const strip = data.subarray(top * width * 4, (top + stripRows) * width * 4);
    await writer.write(rows.filter(strip));
  }
  await Promise.all([writer.close(), reading]);
  parts.push(chunk('IEND', new Uint8Array(0)));
  return new Blob(parts, { type: 'image/png' });
}

/** Which of R, G, B, A are stored. */
const STORED: Readonly<Record<PngColour, readonly number[]>> = {
  0: [0],
  2: [0, 1, 2],
  4: [0, 3],
  6: [0, 1, 2, 3],
};

/** Turns the pixels of one image, strip by strip from the top, into what PNG compresses. */
export class PngRows {
  /** Of a filtered row, its filter type included. */
  readonly bytes: number;
  readonly #width: number;
  readonly #depth: 8 | 16;
  readonly #stored: readonly number[];
  #above: Uint8Array;
  #row: Uint8Array;

  constructor(width: number, depth: 8 | 16, colour: PngColour) {
    this.#width = width;
    this.#depth = depth;
    this.#stored = STORED[colour];
    this.bytes = 1 + (width * this.#stored.length * depth) / 8;
    this.#above = new Uint8Array(this.bytes - 1);
    this.#row = new Uint8Array(this.bytes - 1);
  }

  /** @param rgba whole rows, of the image's depth */
  filter(rgba: RgbaImage['data']): Uint8Array<ArrayBuffer> {
    const samples = this.#width * 4;
    const rows = rgba.length / samples;
    const out = new Uint8Array(rows * this.bytes);
    for (let y = 0; y < rows; y++) {
      this.#pack(rgba.subarray(y * samples, (y + 1) * samples));
      const pixelBytes = (this.#stored.length * this.#depth) / 8;
      filterRow(out.subarray(y * this.bytes), this.#row, this.#above, pixelBytes);
      [this.#above, this.#row] = [this.#row, this.#above];
    }
    return out;
  }

  #pack(rgba: RgbaImage['data']): void {
    const [row, stored] = [this.#row, this.#stored];
    let at = 0;
    for (let i = 0; i < rgba.length; i += 4) {
      for (const channel of stored) {
        const sample = rgba[i + channel];
        if (this.#depth === 16) row[at++] = sample >> 8;
        row[at++] = sample;
      }
    }
  }
}

/**
 * Writes the row with the filter whose residuals, read as signed bytes, have the least sum of
 * magnitudes: the heuristic that the PNG specification recommends (12.7).
 */
function filterRow(out: Uint8Array, row: Uint8Array, above: Uint8Array, pixelBytes: number): void {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let type = 0; type < FILTERS.length; type++) {
    const predict = FILTERS[type];
    let sum = 0;
    for (let i = 0; i < row.length && sum < least; i++) {
      const left = i < pixelBytes ? 0 : row[i - pixelBytes];
      const corner = i < pixelBytes ? 0 : above[i - pixelBytes];
      sum += Math.abs(((row[i] - predict(left, above[i], corner)) << 24) >> 24);
    }
    if (sum < least) [best, least] = [type, sum];
  }
  out[0] = best;
  const predict = FILTERS[best];
  for (let i = 0; i < row.length; i++) {
    const left = i < pixelBytes ? 0 : row[i - pixelBytes];
    const corner = i < pixelBytes ? 0 : above[i - pixelBytes];
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
