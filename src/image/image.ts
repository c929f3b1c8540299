import { CrispenError } from '../errors.ts';

/**
 * An image with 8-bit samples. `data` contains R, G, B and A for each pixel, in rows from top to
 * bottom: `width * height * 4` bytes in total. Alpha is not premultiplied.
 */
export interface Rgba8Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** Like `Rgba8Image`, but with 16-bit samples from 0 to 65535 in the machine's byte order. */
export interface Rgba16Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint16Array;
}

/**
 * An image with 8 or 16 bits per sample. `depthOf` determines the depth from the type of `data`.
 */
export type RgbaImage = Rgba8Image | Rgba16Image;

/** The number of bits per sample. */
export type Depth = 8 | 16;

export const depthOf = ({ data }: RgbaImage): Depth => (data instanceof Uint16Array ? 16 : 8);

/** The samples of any number of pixels, in the same format as the `data` of an `RgbaImage`. */
export type Samples = RgbaImage['data'];

/** Allocates an array for the samples of the given number of pixels. */
export const samplesOf = (depth: Depth, pixels: number): Samples =>
  depth === 16 ? new Uint16Array(pixels * 4) : new Uint8ClampedArray(pixels * 4);

/**
 * @throws CrispenError `INVALID_INPUT` unless the sides are positive integers that match the length
 *   of the data
 */
export function checkImage({ width, height, data }: RgbaImage, pixelBytes: number): void {
  const sound = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (sound && data.byteLength === width * height * pixelBytes) return;
  throw new CrispenError(
    'INVALID_INPUT',
    `An image of ${width} x ${height} cannot have ${data.byteLength} bytes of RGBA.`,
  );
}
