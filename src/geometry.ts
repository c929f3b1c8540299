/**
 * Sizes and rectangles in pixels. This file imports nothing, and code in every folder may import
 * it.
 */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

/**
 * One tile of an LR image, in LR pixels. `core` is the area that the tile computes, and `source` is
 * the area that it reads.
 */
export interface Tile {
  readonly core: Rect;
  readonly source: Rect;
  /**
   * The area that the tile needs, including pixels outside `source` that are read only to enlarge
   * alpha. The default is `source`.
   */
  readonly pixels?: Rect;
}

export const pixelsOf = ({ width, height }: Size): number => width * height;
