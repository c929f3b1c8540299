/** Sizes and rectangles in pixels. Every room may import this file; it imports nothing. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

/**
 * One tile of an LR image, in LR pixels: what it computes (`core`) and what it reads (`source`).
 */
export interface Tile {
  readonly core: Rect;
  readonly source: Rect;
  /** The pixels that it needs, if alpha needs more than the network reads; default: `source`. */
  readonly pixels?: Rect;
}

export const pixelsOf = ({ width, height }: Size): number => width * height;
