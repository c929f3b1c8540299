import type { ValueId } from '../engine/compile/fused.ts';
import type { Size } from '../geometry.ts';
import type { Graph } from '../graph/graph.ts';
import { mapOf, vectorOf } from '../graph/shape.ts';

/**
 * The layout of values in linear memory. A map is an array of f32 values:
 * [height + 2][width + 1][channels]. Channels are innermost and padded to a multiple of four. The
 * map has a border of zeros, which serves as padding for convolutions. The left and right borders
 * share one column, because the pixel after the end of a row is also the pixel before the next row.
 */

export interface MapSize extends Size {
  readonly channels: number;
}

/** A feature map in memory. Addresses and distances are in bytes. */
export interface MapView extends MapSize {
  /** The address of pixel (0, 0). */
  readonly address: number;
  /** The distance from a pixel to the next pixel. */
  readonly pixel: number;
  /** The distance from a row to the next row. */
  readonly row: number;
}

/** Returns the number of channels including padding. */
export const padded = (channels: number): number => Math.ceil(channels / 4) * 4;

export const pixelBytes = (channels: number): number => padded(channels) * 4;

/**
 * Returns the size in bytes of a map with its border and one extra pixel. If the width is odd,
 * Winograd convolutions read this pixel, which follows the last pixel of the border.
 */
export const mapBytes = ({ channels, width, height }: MapSize): number =>
  ((height + 2) * (width + 1) + 2) * pixelBytes(channels);

/** Returns the map whose border begins at `start`. */
export function mapAt(start: number, { channels, width, height }: MapSize): MapView {
  const pixel = pixelBytes(channels);
  const row = (width + 1) * pixel;
  return { address: start + row + pixel, width, height, channels, pixel, row };
}

/** Returns the address of a pixel, which can be in the border. */
export const pixelAt = ({ address, row, pixel }: MapView, y: number, x: number): number =>
  address + y * row + x * pixel;

/** Clears a map's border. Other pixels are unchanged. */
export function clearBorder(floats: Float32Array, map: MapView): void {
  const { width, height, pixel, row } = map;
  const clear = (from: number, to: number) => floats.fill(0, from / 4, to / 4);
  clear(pixelAt(map, -1, -1), pixelAt(map, 0, 0));
  for (let y = 0; y < height; y++) {
    const behind = pixelAt(map, y, width);
    clear(behind, behind + pixel);
  }
  const below = pixelAt(map, height, -1);
  clear(below, below + row + pixel);
}

export const channelsOf = ({ nodes }: Graph, id: ValueId): number =>
  mapOf(nodes[id].shape, nodes[id].name).channels;

export const lengthOf = ({ nodes }: Graph, id: ValueId): number =>
  vectorOf(nodes[id].shape, nodes[id].name).length;
