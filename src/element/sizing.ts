/** The scales above 1 that `auto` chooses from. */
const SCALES = [2, 3, 4] as const;

/** If an image needs a smaller factor than this to fill its box, it is not enlarged. */
const WORTHWHILE = 1.05;

/** The reason why an image stays unchanged; see `CrispenImage.skipped`. */
export type SkipReason = 'unneeded' | 'too-large' | 'save-data' | 'format' | 'slow';

export interface Sizing {
  /** The size of the original file in pixels. */
  readonly width: number;
  readonly height: number;
  /**
   * The number of file pixels per CSS pixel at the image's natural size, along each axis. For
   * example, a `2x` candidate in `srcset` has a density of 2.
   */
  readonly density: number;
  /** The size of the box that shows the image, in CSS pixels. */
  readonly shownWidth: number;
  readonly shownHeight: number;
  /** The number of device pixels per CSS pixel. */
  readonly ratio: number;
  /** The value of CSS `object-fit` for the box. */
  readonly fit: string;
  readonly scale: number | 'auto';
  /** Whether the image is also restored, which is useful even if its size does not change. */
  readonly restores: boolean;
  /** The maximum number of pixels in a result. */
  readonly maxPixels: number;
  /** Whether to make a result even if the layout does not need it. */
  readonly forced: boolean;
}

/**
 * Chooses the scale for an image, or gives the reason why the image stays unchanged. The screen
 * cannot show more than `shownWidth * ratio` by `shownHeight * ratio` pixels. Of the scales whose
 * results are within `maxPixels`, `auto` chooses the smallest that produces enough pixels for the
 * screen, or the largest if none does. If restoration is requested, a visible image is restored
 * even if the screen cannot show more pixels than the file has. The scale is then 1.
 */
export function chooseScale(sizing: Sizing): { scale: number } | { skip: SkipReason } {
  const { width, height, shownWidth, shownHeight, ratio, fit, maxPixels, restores, forced } =
    sizing;
  const across = (shownWidth * ratio) / width;
  const down = (shownHeight * ratio) / height;
  // `contain` uses the smaller of the two factors. Modes that are not in the table below, such as
  // `cover` and `fill`, use the larger factor.
  const contained = Math.min(across, down);
  const own = shownWidth === 0 ? 0 : ratio / sizing.density;
  const needs: Readonly<Record<string, number>> = {
    contain: contained,
    none: own,
    'scale-down': Math.min(contained, own),
  };
  const needed = needs[fit] ?? Math.max(across, down);
  const unneeded = !forced && needed < WORTHWHILE;
  if (unneeded && (!restores || needed === 0)) return { skip: 'unneeded' };
  const scale = unneeded ? 1 : sizing.scale;
  // The comparison is negated so that NaN passes, because a later check reports an invalid scale.
  const fits = (s: number) => !(width * s * height * s > maxPixels);
  if (scale !== 'auto') return fits(scale) ? { scale } : { skip: 'too-large' };
  const possible = (restores ? [1, ...SCALES] : SCALES).filter(fits);
  const chosen = possible.find((s) => s >= needed / WORTHWHILE) ?? possible.at(-1);
  return chosen === undefined ? { skip: 'too-large' } : { scale: chosen };
}
