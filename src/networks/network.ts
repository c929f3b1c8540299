import type { Graph } from '../graph/graph.ts';

/** A network without its weights. */
export interface Network {
  /** The family: a key of `FAMILIES` in `registry.ts`. */
  readonly architecture: string;
  /** Integer factor from LR to SR. */
  readonly scale: number;
  /** RGB input and output range from 0 to this: 255 for A2N's checkpoints, 1 for PAN's. */
  readonly inputRange: number;
  readonly graph: Graph;
  /** Tiles begin at multiples of this many LR pixels, so none begins inside a window; default 1. */
  readonly windows?: number;
  /**
   * If given, an image runs in square tiles of this many pixels, each as a separate image. Where
   * tiles overlap, the result is their mean (`engine/tile/average.ts`).
   */
  readonly averagedTiles?: { readonly side: number; readonly overlap: number };
}
