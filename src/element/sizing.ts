/** The scales to choose from if nothing else decides. */
const SCALES = [2, 3, 4] as const;

/** Below this enlargement, the original already fills the pixels of the screen. */
const WORTHWHILE = 1.05;

/** Why an image is left unchanged; see `CrispenImage.skipped`. */
export type SkipReason = 'unneeded' | 'too-large' | 'save-data' | 'format' | 'slow';

export interface Sizing {
  /** Pixels of the original's file. */
  readonly width: number;
  readonly height: number;
  /** Pixels of the file per CSS pixel of the image's own size, as in `srcset`. */
  readonly density: number;
  /** CSS pixels of the box that shows it. */
  readonly shownWidth: number;
  readonly shownHeight: number;
  /** Device pixels per CSS pixel. */
  readonly ratio: number;
  /** CSS `object-fit` of the box. */
  readonly fit: string;
  readonly scale: number | 'auto';
  /** Whether the image is also restored, which is useful at its own size too. */
  readonly restores: boolean;
  /** Largest result, in pixels. */
  readonly maxPixels: number;
  /** Whether the result is needed even if the layout does not show it. */
  readonly forced: boolean;
}

/**
 * Chooses the scale for an image, or the reason why it is not worth enlarging: a screen cannot show
 * more than `shown x ratio` pixels. `auto` is the smallest scale within `maxPixels` that fills
 * these pixels. If restoration is asked for, the image is always restored, but never enlarged
 * beyond what is visible.
 */
export function chooseScale(sizing: Sizing): { scale: number } | { skip: SkipReason } {
  const { width, height, shownWidth, shownHeight, ratio, fit, maxPixels, restores, forced } =
    sizing;
  const across = (shownWidth * ratio) / width;
  const down = (shownHeight * ratio) / height;
  // `contain` fits the tighter side; the other modes fill the longer one.
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
  // NaN passes here; a later check reports it.
  const fits = (s: number) => !(width * s * height * s > maxPixels);
  if (scale !== 'auto') return fits(scale) ? { scale } : { skip: 'too-large' };
  const possible = (restores ? [1, ...SCALES] : SCALES).filter(fits);
  const chosen = possible.find((s) => s >= needed / WORTHWHILE) ?? possible.at(-1);
  return chosen === undefined ? { skip: 'too-large' } : { scale: chosen };
}
