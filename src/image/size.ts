import { CrispenError } from '../errors.ts';
import type { Size } from '../geometry.ts';

/** The requested size of the result. At most one of the four fields may be set. */
export interface SizeWish {
  /** The factor by which both sides are multiplied. */
  readonly scale?: number | undefined;
  /** The width in pixels. The height then follows from the aspect ratio. */
  readonly width?: number | undefined;
  /** The height in pixels. The width then follows from the aspect ratio. */
  readonly height?: number | undefined;
  /** A box in pixels. The result is as large as possible within it. */
  readonly fit?: { readonly width: number; readonly height: number } | undefined;
}

/**
 * The largest allowed enlargement factor. Beyond it, networks would only enlarge details that they
 * have invented themselves.
 */
export const MAX_FACTOR = 16;

/**
 * Computes the size of the result, which has the image's aspect ratio. A given side is exact. The
 * other side (or both sides, if a factor is given) is rounded to the nearest integer (half up), but
 * never to less than 1. If a box is given, the result has the width or the height of the box and
 * fits inside it.
 *
 * @param wish a size that satisfies `SIZE_RULES` and is given in only one way
 * @returns the size, and the exact factor that is used to choose the network's scale.
 * @throws CrispenError `INVALID_INPUT` if the factor exceeds `MAX_FACTOR`.
 */
export function wishedSize(
  { width, height }: Size,
  wish: SizeWish,
): Size & { readonly factor: number } {
  const { scale = 1, fit } = wish;
  const factor =
    wish.width !== undefined
      ? wish.width / width
      : wish.height !== undefined
        ? wish.height / height
        : fit
          ? Math.min(fit.width / width, fit.height / height)
          : scale;
  // The test is negated, so it also rejects NaN.
  if (!(factor <= MAX_FACTOR)) {
    throw new CrispenError(
      'INVALID_INPUT',
      `${width} x ${height} pixels would be enlarged ${factor.toFixed(1)} times.`,
      { hint: `The limit is ${MAX_FACTOR} times: ask for a smaller size.` },
    );
  }
  const rounded = (side: number) => Math.max(1, Math.round(side * factor));
  return {
    width: wish.width ?? Math.min(rounded(width), fit?.width ?? Number.POSITIVE_INFINITY),
    height: wish.height ?? Math.min(rounded(height), fit?.height ?? Number.POSITIVE_INFINITY),
    factor,
  };
}
