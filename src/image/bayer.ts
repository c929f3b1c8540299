import { checkFields, choice, invalid, number, type Rules, side } from '../options.ts';
import type { Rgba16Image } from './image.ts';

/** The colours of the top-left 2 x 2 pixels, row by row. */
export type BayerPattern = 'RGGB' | 'BGGR' | 'GRBG' | 'GBRG';

/** Raw Bayer data: one sample per pixel, row by row from the top. */
export interface BayerMosaic {
  readonly width: number;
  readonly height: number;
  /** The `width * height` samples. */
  readonly data: Uint8Array | Uint16Array | Float32Array;
  readonly pattern: BayerPattern;
  /** The sample value of black. The default is 0. */
  readonly black?: number;
  /** The sample value of white. The default depends on the type of `data`: 255, 65535 or 1. */
  readonly white?: number;
}

/** The default sample value of white, by array type. */
const FULL: Readonly<Record<string, number>> = {
  Uint8Array: 255,
  Uint8ClampedArray: 255,
  Uint16Array: 65535,
  Float32Array: 1,
};
const level = number({ min: -(2 ** 32), max: 2 ** 32 });
const RULES: Rules<BayerMosaic> = {
  // A mosaic with fewer than 2 rows or columns lacks samples of at least one colour.
  width: side(2),
  height: side(2),
  data: {
    kind: 'samples',
    wants: 'a Uint8Array, Uint16Array or Float32Array',
    accepts: (value) => ArrayBuffer.isView(value) && kindOf(value) in FULL,
  },
  pattern: choice<BayerPattern>(['RGGB', 'BGGR', 'GRBG', 'GBRG']),
  black: level,
  white: level,
};
const NEEDED = ['width', 'height', 'data', 'pattern'] as const;

/**
 * Returns the name of the array's type, such as `Uint8Array`, even for an array from another realm.
 */
const kindOf = (data: ArrayBufferView): string => Object.prototype.toString.call(data).slice(8, -1);

/**
 * Interpolates a mosaic to an opaque 16-bit RGB image. The result is the input for a demosaicing
 * network of scale 1, which improves on the bilinear interpolation. Black becomes 0 and white
 * becomes 65535. Samples outside that range are clamped. The function applies neither white balance
 * nor a transfer curve. If the samples represent linear light, the caller must first encode them
 * with the transfer curve that was used in training the network.
 *
 * A missing colour is the mean of the samples of that colour among the pixel's eight neighbours
 * (bilinear interpolation). There are two or four such samples, but fewer at the border.
 *
 * @throws CrispenError `INVALID_INPUT` for sizes below 2 x 2, which do not contain all colours, and
 *   for invalid samples, levels and patterns
 */
export function demosaicBilinear(mosaic: BayerMosaic): Rgba16Image {
  const { width, height, data, pattern, black, white } = checkMosaic(mosaic);
  const range = white - black;
  const share = (i: number): number => Math.min(1, Math.max(0, (data[i] - black) / range));
  const result = new Uint16Array(width * height * 4);
  // The channels of the pattern's 2 x 2 pixels, row by row.
  const channels = [...pattern].map((colour) => 'RGB'.indexOf(colour));
  const [sums, counts] = [new Float64Array(3), new Uint8Array(3)];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      sums.fill(0);
      counts.fill(0);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const channel = channels[(v & 1) * 2 + (u & 1)];
          sums[channel] += share(v * width + u);
          counts[channel]++;
        }
      }
      const own = channels[(y & 1) * 2 + (x & 1)];
      sums[own] = share(y * width + x);
      counts[own] = 1;
      const at = (y * width + x) * 4;
      for (let c = 0; c < 3; c++) result[at + c] = Math.round((65535 * sums[c]) / counts[c]);
      result[at + 3] = 65535;
    }
  }
  return { width, height, data: result };
}

/**
 * Checks a mosaic and fills in the default levels.
 * @throws CrispenError `INVALID_INPUT` in the same cases as `demosaicBilinear`
 */
export function checkMosaic(mosaic: BayerMosaic): Required<BayerMosaic> {
  const given = checkFields("The mosaic's", Object(mosaic) as BayerMosaic, RULES);
  const missing = NEEDED.find((name) => given[name] === undefined);
  if (missing) throw invalid(`The mosaic has no ${missing}.`, `Give ${RULES[missing].wants}.`);
  const { width, height, data, black = 0, white = FULL[kindOf(data)] } = given;
  if (data.length !== width * height) {
    throw invalid(
      `The mosaic has ${data.length} samples for ${width} x ${height} pixels.`,
      'Give one sample per pixel, in an array whose buffer was not transferred.',
    );
  }
  if (white > black) return { ...given, black, white };
  throw invalid(`Black is ${black}, white ${white}.`, 'White must be above black.');
}
