import { CrispenError } from '../errors.ts';

/** One tile of an LR image: what it computes (`core`) and what it reads (`source`), in LR pixels. */
export interface Tile {
  readonly core: Rect;
  readonly source: Rect;
}

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Cuts an image into tiles. Cores partition the image into near-equal parts of at most `core`
 * pixels a side; sources are the cores grown by `overlap` (half the receptive field) and clipped to
 * the image, so that the network's zero padding falls on the true border and nowhere else.
 *
 * A network that unshuffles pixels works on cells of `multiple` pixels a side: cores begin between
 * cells, and sources hold whole cells, of which the last ones may stick out of the image.
 */
export function cutTiles(
  width: number,
  height: number,
  core: number,
  overlap: number,
  multiple = 1,
): Tile[] {
  const parts = (pixels: number) => {
    const cells = Math.ceil(pixels / multiple);
    const count = Math.max(1, Math.ceil(cells / Math.max(1, Math.floor(core / multiple))));
    const margin = Math.ceil(overlap / multiple);
    return Array.from({ length: count }, (_, i) => {
      const from = Math.floor((i * cells) / count);
      const to = Math.floor(((i + 1) * cells) / count);
      const low = Math.max(0, from - margin);
      return {
        from: from * multiple,
        size: Math.min(pixels, to * multiple) - from * multiple,
        low: low * multiple,
        span: (Math.min(cells, to + margin) - low) * multiple,
      };
    });
  };
  const columns = parts(width);
  return parts(height).flatMap((r) =>
    columns.map((c) => ({
      core: { x: c.from, y: r.from, width: c.size, height: r.size },
      source: { x: c.low, y: r.low, width: c.span, height: r.span },
    })),
  );
}

/** Cores smaller than this would spend nearly all work on overlap. */
export const MIN_CORE = 16;

/**
 * The largest core for which a tile with overlap satisfies `fits`, or `Infinity` if the whole image
 * does. @throws CrispenError `OUT_OF_MEMORY` if not even the smallest tile fits.
 */
export function largestCore(
  width: number,
  height: number,
  overlap: number,
  fits: (width: number, height: number) => boolean,
): number {
  if (fits(width, height)) return Number.POSITIVE_INFINITY;
  const tileFits = (core: number) =>
    fits(Math.min(width, core + 2 * overlap), Math.min(height, core + 2 * overlap));
  if (!tileFits(MIN_CORE)) {
    throw new CrispenError('OUT_OF_MEMORY', 'Not even the smallest tile fits the memory budget.', {
      hint: 'Raise the memory budget or choose a smaller model.',
    });
  }
  let [low, high] = [MIN_CORE, Math.max(width, height)];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (tileFits(middle)) low = middle;
    else high = middle;
  }
  return low;
}
