import { keyBlocks, type WindowSpec } from '../../../kernels/nonlocal/nonlocal.ts';

/**
 * The maximum number of slabs per `attend` op. A slab is a range of windows. If the attention
 * weights do not fit in memory, each `attend` op recomputes them, one slab at a time.
 */
export const SLABS = 8;

/** The total number of windows, and the number of windows whose weights are in memory at once. */
export interface SlabPlan {
  readonly windows: number;
  readonly perSlab: number;
  /** Whether all attention weights are computed once and kept for every `attend` op. */
  readonly kept: boolean;
  readonly bytes: number;
}

/**
 * Decides whether to keep all attention weights in memory. Each row (one pixel in one round of
 * clustering) has `spans * window` weights. The weights are kept if they fit in `limit` bytes.
 * Otherwise, each `attend` op that uses them computes them again, one slab of windows at a time.
 */
export function planSlabs(
  { window, spans, rounds }: Omit<WindowSpec, 'channels'> & { readonly rounds: number },
  pixels: number,
  limit: number,
): SlabPlan {
  const windows = rounds * Math.ceil(pixels / window);
  const each = window * keyBlocks({ window, spans }) * 16;
  const kept = windows * each <= limit;
  const perSlab = kept
    ? windows
    : Math.max(Math.floor(limit / each), Math.ceil(windows / SLABS), 1);
  return { windows, perSlab, kept, bytes: perSlab * each };
}
