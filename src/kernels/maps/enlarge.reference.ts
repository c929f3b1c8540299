import { mapLike, type PlanarMap, type Reals } from '../planar.ts';
import { atOnce, each, type Steps } from '../steps.ts';

export function nearestReference<T extends Reals>(x: PlanarMap<T>, scale: number): PlanarMap<T> {
  const y = mapLike(x, x.channels, x.height * scale, x.width * scale);
  let at = 0;
  for (let c = 0; c < y.channels; c++) {
    for (let row = 0; row < y.height; row++) {
      const from = (c * x.height + Math.floor(row / scale)) * x.width;
      for (let col = 0; col < y.width; col++) y.data[at++] = x.data[from + Math.floor(col / scale)];
    }
  }
  return y;
}

/**
 * Enlarges a map bilinearly by a single scale or by one scale per axis, with half-pixel centres and
 * clamped edges (`align_corners=False` in PyTorch).
 */
export function* bilinearSteps<T extends Reals>(
  x: PlanarMap<T>,
  scale: number | { readonly x: number; readonly y: number },
): Steps<PlanarMap<T>> {
  const by = typeof scale === 'number' ? { x: scale, y: scale } : scale;
  const y = mapLike(x, x.channels, Math.round(x.height * by.y), Math.round(x.width * by.x));
  const axis = (index: number, size: number, scale: number) => {
    const source = Math.max((index + 0.5) / scale - 0.5, 0);
    const lo = Math.floor(source);
    return { lo, hi: Math.min(lo + 1, size - 1), f: source - lo };
  };
  let at = 0;
  for (let c = 0; c < y.channels; c++) {
    yield* each(y.height, (row) => {
      const r = axis(row, x.height, by.y);
      const [top, bottom] = [(c * x.height + r.lo) * x.width, (c * x.height + r.hi) * x.width];
      for (let col = 0; col < y.width; col++) {
        const { lo, hi, f } = axis(col, x.width, by.x);
        const upper = x.data[top + lo] * (1 - f) + x.data[top + hi] * f;
        const lower = x.data[bottom + lo] * (1 - f) + x.data[bottom + hi] * f;
        y.data[at++] = upper * (1 - r.f) + lower * r.f;
      }
    });
  }
  return y;
}
export const bilinearReference = atOnce(bilinearSteps);
