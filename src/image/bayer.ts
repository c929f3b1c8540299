import { CrispenError } from '../errors.ts';
import type { Rgba16Image } from './image.ts';

/** The colours of the upper left 2 x 2 pixels, row by row. */
export type BayerPattern = 'RGGB' | 'BGGR' | 'GRBG' | 'GBRG';

/** What a sensor behind a Bayer filter saw: one sample per pixel, row by row from the top. */
export interface BayerMosaic {
  readonly width: number;
  readonly height: number;
  /** `width * height` samples. */
  readonly data: Uint8Array | Uint16Array | Float32Array;
  readonly pattern: BayerPattern;
  /** The sample of no light; default 0. */
  readonly black?: number;
  /** The sample of full light; default 255, 65535 or 1, by the kind of `data`. */
  readonly white?: number;
}

const PATTERNS: readonly BayerPattern[] = ['RGGB', 'BGGR', 'GRBG', 'GBRG'];

/**
 * The mosaic as an RGB image of 16 bits, opaque: the input of a network of scale 1 that demosaics. It
 * adds to it what bilinear interpolation cannot know. Black becomes 0 and white 65535, samples beyond
 * them are cut off; the values are otherwise as they were, without white balance or transfer curve, so
 * that samples of linear light have to be encoded before, as the network was trained.
 *
 * A missing colour is the mean of the samples of that colour among the pixel's eight neighbours: two or
 * four of them, which is bilinear interpolation, fewer at the border.
 *
 * @throws CrispenError `INVALID_INPUT` for sizes below 2 x 2, for which some colour is nowhere, and for
 * samples, levels and patterns that are none
 */
export function demosaicBilinear(mosaic: BayerMosaic): Rgba16Image {
  const { width, height, data } = mosaic;
  const { black, range } = checked(mosaic);
  const level = (i: number): number => Math.min(1, Math.max(0, (data[i] - black) / range));
  const result = new Uint16Array(width * height * 4);
  // Channel by parity of row and column.
  const channels = [...mosaic.pattern].map((colour) => 'RGB'.indexOf(colour));
  const [sums, counts] = [new Float64Array(3), new Uint8Array(3)];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      sums.fill(0);
      counts.fill(0);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const channel = channels[(v & 1) * 2 + (u & 1)];
          sums[channel] += level(v * width + u);
          counts[channel]++;
        }
      }
      const own = channels[(y & 1) * 2 + (x & 1)];
      sums[own] = level(y * width + x);
      counts[own] = 1;
      const at = (y * width + x) * 4;
      for (let c = 0; c < 3; c++) result[at + c] = Math.round((65535 * sums[c]) / counts[c]);
      result[at + 3] = 65535;
    }
  }
  return { width, height, data: result };
}

function checked({ width, height, data, pattern, black = 0, white }: BayerMosaic) {
  const invalid = (message: string, hint: string) =>
    new CrispenError('INVALID_INPUT', message, { hint });
  const sound = (side: number) => Number.isSafeInteger(side) && side >= 2;
  if (!sound(width) || !sound(height) || data.length !== width * height) {
    const given = `${data.length} samples for ${width} x ${height} pixels`;
    throw invalid(`A mosaic of ${given}.`, 'Give one per pixel, and at least 2 x 2.');
  }
  if (!PATTERNS.includes(pattern)) {
    throw invalid(`There is no pattern "${String(pattern)}".`, `Choose ${PATTERNS.join(', ')}.`);
  }
  const full = data instanceof Float32Array ? 1 : data instanceof Uint16Array ? 65535 : 255;
  const range = (white ?? full) - black;
  if (range > 0 && Number.isFinite(range)) return { black, range };
  throw invalid(`Black is ${black}, white ${white ?? full}.`, 'White has to be above black.');
}
