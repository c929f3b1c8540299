/**
 * 3x3 convolutions with tiles of 2x2 pixels: F(2x2, 3x3) from Lavin and Gray (2015). For each pair
 * of input and output channels, a tile needs 16 products instead of 36. The transforms of the input
 * windows (4x4 pixels) and of the summed products use only additions and subtractions.
 */
import { pixelBytes } from './layout.ts';

/**
 * The side length of a tile in pixels. If a part of an image starts at a multiple of this number,
 * it is divided into the same tiles as the whole image, so its pixels get the same values.
 */
export const TILE_SIDE = 2;
/**
 * The number of tiles that are transformed together. Products are computed for groups of 4 or 6
 * tiles. With 12 tiles, the windows and products of 20 channels stay in the L1 cache.
 */
export const TILES = 12;
/** The number of values in a transformed window. */
export const POSITIONS = 16;

/** The side length of a transformed filter. */
export const SIDE = 4;

/**
 * Returns the number of bytes that a thread needs for the transformed windows of `channels` input
 * channels, or for the summed products of `channels` output channels.
 */
export const windowBytes = (channels: number): number => POSITIONS * TILES * pixelBytes(channels);

/**
 * Returns whether a convolution is faster with tiles than without. With few channels, the
 * transforms take longer than the products that tiles save.
 */
export const worthTiles = (cIn: number, cOut: number): boolean => (cIn * cOut) / (cIn + cOut) >= 6;

/**
 * Multiplies Winograd's filter matrix `G` by a vector of three numbers. Multiplying the vector, as
 * a row, by the transposed `G` gives the same numbers.
 */
const spread = ([a, b, c]: readonly number[]): number[] => [a, (a + b + c) / 2, (a - b + c) / 2, c];

/**
 * Transforms each filter `g` to `G * g * G^T`. The filters are [cOut * cIn][3][3], and the results
 * are [cOut * cIn][4][4].
 */
export function transformFilters(filters: Float32Array): Float32Array {
  const count = filters.length / 9;
  const transformed = new Float32Array(count * POSITIONS);
  for (let f = 0; f < count; f++) {
    const rows = [0, 1, 2].map((ky) => spread([0, 1, 2].map((kx) => filters[f * 9 + ky * 3 + kx])));
    for (let j = 0; j < SIDE; j++) {
      const column = spread(rows.map((row) => row[j]));
      for (let i = 0; i < SIDE; i++) transformed[f * POSITIONS + i * SIDE + j] = column[i];
    }
  }
  return transformed;
}
