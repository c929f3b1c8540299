import { CrispenError } from '../errors.ts';

/** The wanted size of the result, given in exactly one of the four ways. */
export interface SizeWish {
  /** A factor. */
  readonly scale?: number | undefined;
  /** Sides in pixels. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** A box. The result is as large as fits into it. */
  readonly fit?: { readonly width: number; readonly height: number } | undefined;
}

/** The largest enlargement. Beyond it, a network only enlarges details that it invented. */
export const MAX_FACTOR = 16;

/**
 * Computes the size of the result, with the image's aspect ratio. A given side is exact. The other
 * side, or both sides for a factor, are rounded to the nearest (half up), and no side is below 1.
 * In a box, the limiting side has the box's size.
 *
 * @param wish one that satisfies `SIZE_RULES`, given in one way
 * @returns the size and the exact factor, from which the network's scale is chosen.
 * @throws CrispenError `INVALID_INPUT` beyond `MAX_FACTOR`.
 */
export function wishedSize(
  { width, height }: { readonly width: number; readonly height: number },
  wish: SizeWish,
): { readonly width: number; readonly height: number; readonly factor: number } {
  const { scale = 1, fit } = wish;
  const factor =
    wish.width !== undefined
      ? wish.width / width
      : wish.height !== undefined
        ? wish.height / height
        : fit
          ? Math.min(fit.width / width, fit.height / height)
          : scale;
  // The negated test also rejects NaN.
  if (!(factor <= MAX_FACTOR)) {
    throw new CrispenError(
      'INVALID_INPUT',
      `${width} x ${height} pixels would be enlarged ${factor.toFixed(1)} times.`,
      { hint: `The limit is ${MAX_FACTOR} times: ask for a smaller size.` },
    );
  }
  const rounded = (side: number) => Math.max(1, Math.round(side * factor));
  const size = { width: rounded(width), height: rounded(height), factor };
  return {
    width: wish.width ?? Math.min(size.width, fit?.width ?? size.width),
    height: wish.height ?? Math.min(size.height, fit?.height ?? size.height),
    factor,
  };
}
