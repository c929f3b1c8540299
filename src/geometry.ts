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
   * The area of the image that is uploaded to the GPU for the tile. It can be larger than `source`,
   * because pixels outside `source` can be needed to enlarge the alpha channel. The default is
   * `source`.
   */
  readonly pixels?: Rect;
}

export const pixelsOf = ({ width, height }: Size): number => width * height;
