import { keyBlocks, type WindowSpec } from '../../../kernels/nonlocal/nonlocal.ts';

/**
 * The maximum number of slabs into which attention weights are divided if the weights are not
 * kept. Each group of layers then recomputes them, one slab of windows at a time.
 */
export const SLABS = 8;

/** The total number of windows, and the number of windows whose weights are in memory at a time. */
export interface SlabPlan {
  readonly windows: number;
  readonly perSlab: number;
  /**
   * Whether the attention weights are computed once and kept for all groups of layers that share
   * them.
   */
  readonly kept: boolean;
  readonly bytes: number;
}

/**
 * Decides whether to keep the attention weights (`spans * window` values per row). The alternative
 * is to recompute them from the embeddings, one slab of windows at a time. They are kept if they
 * fit in `limit` bytes. Keeping them saves `spans * window` multiply-adds per row, channel and
 * group.
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
