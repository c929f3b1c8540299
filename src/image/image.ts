/**
 * An image of 8-bit samples in memory: `data` holds R, G, B, A per pixel, rows from top to bottom,
 * `width * height * 4` bytes, alpha not premultiplied.
 */
export interface Rgba8Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}
