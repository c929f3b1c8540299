/**
 * Tiles whose results are averaged. Networks with attention over a whole tile give different
 * results for different tiles. Their authors run them on tiles of the training size and average the
 * overlaps.
 */
import type { Rect, Size } from '../../geometry.ts';

export interface AveragedTiles {
  /** Side of the square tiles, in LR pixels. */
  readonly side: number;
  readonly overlap: number;
}

/** Where tiles begin along an axis: every `stride` pixels, and the last one ends with the image. */
export interface Starts {
  /** Pixels of the axis. */
  readonly length: number;
  /** Length of a tile: its side, or the whole axis if that is shorter. */
  readonly tile: number;
  readonly starts: readonly number[];
}

export function startsAlong(length: number, { side, overlap }: AveragedTiles): Starts {
  const tile = Math.min(side, length);
  const last = length - tile;
  const stride = side - overlap;
  const starts: number[] = [];
  for (let at = 0; at < last; at += stride) starts.push(at);
  return { length, tile, starts: [...starts, last] };
}

/** How many tiles cover each pixel of an axis. */
export function coverageAlong({ length, tile, starts }: Starts): number[] {
  return Array.from(
    { length },
    (_, i) => starts.filter((start) => start <= i && i < start + tile).length,
  );
}

/** The tiles of an image, row by row. */
export function averagedTiles({ width, height }: Size, tiles: AveragedTiles): Rect[] {
  const [columns, rows] = [startsAlong(width, tiles), startsAlong(height, tiles)];
  return rows.starts.flatMap((y) =>
    columns.starts.map((x) => ({ x, y, width: columns.tile, height: rows.tile })),
  );
}

/**
 * Combines planar maps of tiles into one map: their mean where they overlap, summed in f64.
 * @param run the enlarged result of a tile, [channels][height * scale][width * scale]
 */
export async function meanOfTiles(
  size: Size,
  tiles: AveragedTiles,
  scale: number,
  channels: number,
  run: (tile: Rect) => Promise<Float32Array>,
): Promise<Float32Array<ArrayBuffer>> {
  const [W, H] = [size.width * scale, size.height * scale];
  const total = new Float64Array(channels * W * H);
  for (const tile of averagedTiles(size, tiles)) {
    const data = await run(tile);
    const [w, h] = [tile.width * scale, tile.height * scale];
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < h; y++) {
        const to = (c * H + tile.y * scale + y) * W + tile.x * scale;
        const from = (c * h + y) * w;
        for (let x = 0; x < w; x++) total[to + x] += data[from + x];
      }
    }
  }
  const columns = coverageAlong(startsAlong(size.width, tiles));
  const rows = coverageAlong(startsAlong(size.height, tiles));
  return Float32Array.from(total, (sum, i) => {
    const [x, y] = [i % W, Math.floor(i / W) % H];
    return sum / (columns[Math.floor(x / scale)] * rows[Math.floor(y / scale)]);
  });
}
