/** Sizes and rectangles in pixels. Everybody may import this file; it imports nothing. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

/** One tile of an LR image: what it computes (`core`) and what it reads (`source`), in LR pixels. */
export interface Tile {
  readonly core: Rect;
  readonly source: Rect;
}

export const pixelsOf = ({ width, height }: Size): number => width * height;
