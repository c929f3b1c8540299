import type { Rgba8Image } from '../image/image.ts';

/**
 * A line between the columns (or rows) `at - 1` and `at` of an image. Line 0 is between the last
 * column (or row) and the first, which are neighbours if the image is repeated as a texture.
 */
export interface Line {
  readonly axis: 'x' | 'y';
  readonly at: number;
}

/** A border is compared with at most this many interior lines on each side. */
const NEIGHBOURS = 8;

/**
 * Computes the mean absolute difference between the RGB values of the two rows or columns next to a
 * line, in 8-bit levels.
 */
export function stepAcross({ width, height, data }: Rgba8Image, { axis, at }: Line): number {
  const [length, along, across] = axis === 'x' ? [height, width * 4, 4] : [width, 4, width * 4];
  const before = (at === 0 ? (axis === 'x' ? width : height) - 1 : at - 1) * across;
  let sum = 0;
  for (let i = 0; i < length; i++) {
    for (let c = i * along; c < i * along + 3; c++)
      sum += Math.abs(data[c + at * across] - data[c + before]);
  }
  return sum / (length * 3);
}

/**
 * Computes two mean steps (see `stepAcross`): one across an image's tile borders, and one across
 * nearby interior lines (up to eight on each side of each border). Between two SR pixels, the
 * typical step depends on whether both belong to the same LR pixel. Two pixels on opposite sides of
 * a tile border never do, so only interior lines between LR pixels are used.
 * @param borders the tile borders; their positions, in SR pixels, are multiples of `scale`
 * @returns both means in 8-bit levels; a mean is NaN if there are no lines for it
 */
export function seamSteps(
  image: Rgba8Image,
  borders: readonly Line[],
  scale: number,
): { border: number; interior: number } {
  const isBorder = ({ axis, at }: Line) => borders.some((b) => b.axis === axis && b.at === at);
  const interior = borders.flatMap(({ axis, at }) =>
    Array.from({ length: 2 * NEIGHBOURS }, (_, i) => {
      const away = i < NEIGHBOURS ? i - NEIGHBOURS : i - NEIGHBOURS + 1;
      return { axis, at: at + away * scale };
    }).filter((line) => {
      const size = axis === 'x' ? image.width : image.height;
      return line.at > 0 && line.at < size && !isBorder(line);
    }),
  );
  const mean = (lines: readonly Line[]) =>
    lines.reduce((sum, line) => sum + stepAcross(image, line), 0) / lines.length;
  return { border: mean(borders), interior: mean(interior) };
}
