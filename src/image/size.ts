import { CrispenError } from '../errors.ts';

/** How large a result is to be; exactly one of the four is given. */
export interface SizeWish {
  /** A factor. */
  readonly scale?: number | undefined;
  /** Sides in pixels. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** A box: as large as fits into it. */
  readonly fit?: { readonly width: number; readonly height: number } | undefined;
}

/** Most that an image is enlarged by; beyond it a network only repaints its own inventions. */
export const MAX_FACTOR = 16;

/**
 * The size of the result, whose aspect is the image's: a given side is exact, the other, and with a
 * factor both, are rounded to the nearest (halves up), and no side is below 1. In a box the side that
 * binds is the box's own.
 *
 * @returns the exact factor with the size, from which the network's scale is chosen.
 * @throws CrispenError `INVALID_INPUT` for sizes and factors that are none, and beyond `MAX_FACTOR`.
 */
export function wishedSize(
  { width, height }: { readonly width: number; readonly height: number },
  wish: SizeWish,
): { readonly width: number; readonly height: number; readonly factor: number } {
  const factor = factorOf(width, height, wish);
  if (factor > MAX_FACTOR) {
    throw new CrispenError(
      'INVALID_INPUT',
      `${width} x ${height} pixels would be enlarged ${factor.toFixed(1)} times.`,
      { hint: `At most ${MAX_FACTOR} times: ask for a smaller size.` },
    );
  }
  const rounded = (side: number) => Math.max(1, Math.round(side * factor));
  const size = { width: rounded(width), height: rounded(height), factor };
  return {
    width: wish.width ?? Math.min(size.width, wish.fit?.width ?? size.width),
    height: wish.height ?? Math.min(size.height, wish.fit?.height ?? size.height),
    factor,
  };
}

function factorOf(width: number, height: number, wish: SizeWish): number {
  const given = [wish.scale, wish.width, wish.height, wish.fit].filter((v) => v !== undefined);
  if (given.length !== 1) {
    throw invalid(
      'The size is given in several ways.',
      'Give one of scale, width, height and fit.',
    );
  }
  const pixels = (side: number): number => {
    if (Number.isSafeInteger(side) && side > 0) return side;
    throw invalid(`There is no side of ${String(side)} pixels.`, 'Give a whole number above 0.');
  };
  if (wish.width !== undefined) return pixels(wish.width) / width;
  if (wish.height !== undefined) return pixels(wish.height) / height;
  if (wish.fit) return Math.min(pixels(wish.fit.width) / width, pixels(wish.fit.height) / height);
  const factor = wish.scale as number;
  if (factor > 0 && Number.isFinite(factor)) return factor;
  throw invalid(`There is no scale ${String(factor)}.`, 'Give a number above 0, such as 2.7.');
}

const invalid = (message: string, hint: string): CrispenError =>
  new CrispenError('INVALID_INPUT', message, { hint });
