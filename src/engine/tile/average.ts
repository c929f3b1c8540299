/**
 * Runs a network on tiles and averages the results where tiles overlap. If a network's attention
 * covers the whole tile, the result for a pixel depends on the tile. The authors of such networks
 * run them on tiles of the training size and average the overlaps.
 */
import { CrispenError } from '../../errors.ts';
import type { Rect, Size } from '../../geometry.ts';
import { type PlanarMap, planarMap, type Reals } from '../../kernels/planar.ts';
import { each, paced } from '../../kernels/steps.ts';
import type { Edge } from '../types.ts';

export interface AveragedTiles {
  /** The side length of the square tiles in LR pixels. */
  readonly side: number;
  readonly overlap: number;
}

/**
 * The positions at which tiles start along an axis. A tile starts every `side - overlap` pixels,
 * and the last one ends at the image's edge.
 */
export interface Starts {
  /** The length of the axis in pixels. */
  readonly length: number;
  /** The length of a tile: its side, or the whole axis if the axis is shorter. */
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

/** Counts the tiles that cover each pixel along an axis. */
export function coverageAlong({ length, tile, starts }: Starts): number[] {
  return Array.from(
    { length },
    (_, i) => starts.filter((start) => start <= i && i < start + tile).length,
  );
}

/** Returns the tiles of an image, row by row. */
export function averagedTiles({ width, height }: Size, tiles: AveragedTiles): Rect[] {
  const [columns, rows] = [startsAlong(width, tiles), startsAlong(height, tiles)];
  return rows.starts.flatMap((y) =>
    columns.starts.map((x) => ({ x, y, width: columns.tile, height: rows.tile })),
  );
}

/** Cuts a rectangle out of a map. */
function cut(map: PlanarMap, { x, y, width, height }: Rect): PlanarMap {
  const part = planarMap(map.channels, height, width);
  for (let row = 0; row < map.channels * height; row++) {
    const from = (Math.floor(row / height) * map.height + y + (row % height)) * map.width + x;
    part.data.set(map.data.subarray(from, from + width), row * width);
  }
  return part;
}

/**
 * Processes an image in tiles and averages the results where tiles overlap. The sums are computed
 * in f64.
 * @param run returns a tile enlarged by `scale`
 * @param pause waits so that other events can be handled. See `paced`.
 */
export async function meanOfTiles(
  image: PlanarMap,
  tiles: AveragedTiles,
  scale: number,
  run: (tile: PlanarMap) => Promise<PlanarMap<Reals>>,
  pause: () => Promise<void> | undefined = () => undefined,
): Promise<PlanarMap> {
  const [width, height] = [image.width * scale, image.height * scale];
  let total: Float64Array | null = null;
  let channels = 0;
  for (const tile of averagedTiles(image, tiles)) {
    const result = await run(cut(image, tile));
    channels = result.channels;
    total ??= new Float64Array(channels * width * height);
    for (let row = 0; row < channels * result.height; row++) {
      const y = tile.y * scale + (row % result.height);
      const to = (Math.floor(row / result.height) * height + y) * width + tile.x * scale;
      const from = row * result.width;
      for (let x = 0; x < result.width; x++) total[to + x] += result.data[from + x];
    }
  }
  const columns = coverageAlong(startsAlong(image.width, tiles));
  const rows = coverageAlong(startsAlong(image.height, tiles));
  const mean = planarMap(channels, height, width);
  const sums = total ?? new Float64Array();
  const divideRow = (row: number) => {
    const inRow = rows[Math.floor((row % height) / scale)];
    for (let x = 0; x < width; x++) {
      const i = row * width + x;
      mean.data[i] = sums[i] / (columns[Math.floor(x / scale)] * inRow);
    }
  };
  await paced(each(channels * height, divideRow), pause);
  return mean;
}

/**
 * Checks the `edge` option for a network whose results are averaged where tiles overlap. Such a
 * network pads each tile in the same way as it padded training images, and the option must not
 * change this.
 * @throws CrispenError `INVALID_INPUT` for an edge that would change the padding
 */
export function checkEdge(edge: Edge = 'zero'): void {
  if (edge === 'zero') return;
  throw new CrispenError('INVALID_INPUT', `This network cannot run with the edge "${edge}".`, {
    hint: 'Leave the option edge out, or choose a network of convolutions.',
  });
}
