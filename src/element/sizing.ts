/** Scales that a network may have where nothing else says which one it is to be. */
const SCALES = [2, 3, 4] as const;

/** Below this enlargement the original already fills the pixels of the screen. */
const WORTHWHILE = 1.05;

/** Why a picture is left as it is; see `CrispenImage.skipped`. */
export type SkipReason = 'unneeded' | 'too-large' | 'save-data' | 'format';

export interface Sizing {
  /** Pixels of the original's file. */
  readonly width: number;
  readonly height: number;
  /** Pixels of the file per CSS pixel of the picture's own size, as `srcset` has it. */
  readonly density: number;
  /** CSS pixels of the box that shows it. */
  readonly shownWidth: number;
  readonly shownHeight: number;
  /** Device pixels per CSS pixel. */
  readonly ratio: number;
  /** CSS `object-fit` of the box. */
  readonly fit: string;
  readonly scale: number | 'auto';
  /** The picture is also restored, which is worth it at its own size too. */
  readonly restores: boolean;
  /** Largest result, in pixels. */
  readonly maxPixels: number;
  /** The result is wanted whether the layout shows it or not. */
  readonly forced: boolean;
}

/**
 * The scale at which a picture is worth enlarging, or why it is not: a screen cannot show more than
 * `shown x ratio` pixels. `auto` is the smallest scale that fills them, of those within `maxPixels`.
 * What is restored is not enlarged beyond what shows, but restored all the same.
 */
export function chooseScale(sizing: Sizing): { scale: number } | { skip: SkipReason } {
  const { width, height, shownWidth, shownHeight, ratio, fit, maxPixels, restores, forced } =
    sizing;
  const across = (shownWidth * ratio) / width;
  const down = (shownHeight * ratio) / height;
  // A contained picture is as large as its tighter side allows; others cover at least the longer.
  const contained = Math.min(across, down);
  const own = shownWidth === 0 ? 0 : ratio / sizing.density;
  const needs: Readonly<Record<string, number>> = {
    ...{ contain: contained, none: own, 'scale-down': Math.min(contained, own) },
  };
  const needed = needs[fit] ?? Math.max(across, down);
  const unneeded = !forced && needed < WORTHWHILE;
  if (unneeded && (!restores || needed === 0)) return { skip: 'unneeded' };
  const scale = unneeded ? 1 : sizing.scale;
  // What is no number goes on, to be refused by name.
  const fits = (s: number) => !(width * s * height * s > maxPixels);
  if (scale !== 'auto') return fits(scale) ? { scale } : { skip: 'too-large' };
  const possible = (restores ? [1, ...SCALES] : SCALES).filter(fits);
  const chosen = possible.find((s) => s >= needed / WORTHWHILE) ?? possible.at(-1);
  return chosen === undefined ? { skip: 'too-large' } : { scale: chosen };
}
