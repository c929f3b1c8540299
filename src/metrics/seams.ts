import type { Rgba8Image } from '../image/image.ts';

/**
 * A line between the columns (or rows) `at - 1` and `at` of an image. Line 0 is between the last
 * column (or row) and the first, which are neighbours if the image is repeated as a texture.
 */
export interface Line {
  readonly axis: 'x' | 'y';
  readonly at: number;
}

/** Each border is compared with up to this many interior lines on each side of it. */
const NEIGHBOURS = 8;

/**
 * Computes the mean absolute RGB difference across a line, in levels. The difference is between the
 * two rows or columns next to the line.
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
 * Computes the mean step (see `stepAcross`) across an image's tile borders, and the mean step
 * across up to eight interior lines on each side of each border. Steps within an LR pixel differ
 * from steps between LR pixels. The interior lines are therefore chosen so that they are between LR
 * pixels, as the borders are.
 * @param borders the borders in SR pixels, which are multiples of `scale`
 * @returns the mean steps in levels; NaN where there is no line.
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
