import type { Graph } from '../graph/graph.ts';

/** A network without its weights. */
export interface Network {
  /** The family, which is a key of `FAMILIES` in `registry.ts`. */
  readonly architecture: string;
  /** The integer by which the network multiplies the width and the height of an image. */
  readonly scale: number;
  /**
   * RGB input and output values range from 0 to this value: 255 for A2N's checkpoints, 1 for PAN's.
   */
  readonly inputRange: number;
  readonly graph: Graph;
  /**
   * Tiles begin at multiples of this number of input pixels, so no tile begins inside an attention
   * window; default 1.
   */
  readonly windows?: number;
  /**
   * If this is set, an image is processed in tiles of `side` x `side` pixels, and each tile is
   * treated as a separate image. Where tiles overlap, the result is the mean of their results (see
   * `engine/tile/average.ts`).
   */
  readonly averagedTiles?: { readonly side: number; readonly overlap: number };
}
