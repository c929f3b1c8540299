/**
 * 3x3 convolutions by tiles of 2x2 pixels: F(2x2, 3x3) of Lavin and Gray (2015). A tile needs 16
 * products per pair of channels instead of 36. The windows of 4x4 pixels and the sums of products
 * are transformed by additions only.
 */
import { padded } from './layout.ts';

/**
 * Side of a tile in pixels. A part of an image gives the same bits as the whole image only if it
 * begins between tiles.
 */
export const TILE_SIDE = 2;
/** Tiles that are transformed at a time. */
export const TILES = 16;
/** Room for these tiles. The last products include a few more tiles, which are not used. */
export const TILE_SLOTS = TILES + 2;
/** Number of values in a transformed window. */
export const POSITIONS = 16;

/** Side of a transformed filter. */
export const SIDE = 4;

/** Bytes that a thread needs for the transformed windows and for the sums of products. */
export const windowBytes = (channels: number): number =>
  POSITIONS * TILE_SLOTS * padded(channels) * 4;

/** Whether tiles save time. With few channels, the transforms cost as much as they save. */
export const worthTiles = (cIn: number, cOut: number): boolean => (cIn * cOut) / (cIn + cOut) >= 6;

/** Multiplies G by one column, or by one row transposed. */
const spread = ([a, b, c]: readonly number[]): number[] => [a, (a + b + c) / 2, (a - b + c) / 2, c];

/** Transforms filters g, [cOut * cIn][3][3], to G g G^T, [cOut * cIn][4][4]. */
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
