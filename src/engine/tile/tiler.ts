import { CrispenError } from '../../errors.ts';
import type { Rect, Size, Tile } from '../../geometry.ts';
import { paddingOf } from '../../graph/analysis.ts';
import { looksFar, opRules } from '../../graph/ops.ts';
import { tileOverlap } from '../../graph/reach.ts';
import { depthOf, type RgbaImage, samplesOf } from '../../image/image.ts';
import type { Network } from '../../networks/network.ts';
import type { Edge } from '../types.ts';

/** A full-width strip of an image, with its tiles. The enlarged image is delivered in strips. */
export interface StripPlan {
  readonly y: number;
  readonly height: number;
  readonly tiles: readonly Tile[];
}

export type Tiler = ReturnType<typeof tilerFor>;

/** The rules for cutting an image into tiles for a network. */
export interface Cutting {
  /** The number of pixels that a tile reads beyond its core on each side. */
  readonly overlap: number;
  /**
   * The side length of a cell in pixels, such as a network's unshuffle factor or window size. Cores
   * start at cell boundaries, and sources consist of whole cells.
   */
  readonly multiple: number;
  /** Each tile's `source` starts at a multiple of this many cells. The default is 1. */
  readonly grid?: number;
  /**
   * With `zero`, sources end at the image's edge, so that the network's own padding applies there.
   */
  readonly edge: Edge;
}

/**
 * The minimum side length of a core. With smaller cores, nearly all of the work would be spent on
 * the overlap.
 */
export const MIN_CORE = 16;

/** The maximum size of a strip in CPU memory, in bytes, unless the smallest tiles need more. */
const STRIP_BYTES = 2 ** 27;

/**
 * Returns functions that cut one image into tiles for one network. Each tile's `source` starts at
 * a boundary of the network's attention windows (`Network.windows`).
 * @param squares the side length of a square, in cells. The CPU's Winograd convolutions process
 *   each feature map square by square. Each tile's `source` also starts at a boundary of these
 *   squares. A tile and the whole image are therefore divided into the same squares, and the
 *   results of their convolutions are bit-identical.
 */
export function tilerFor(image: RgbaImage, network: Network, edge: Edge, squares = 1) {
  const { graph, scale, windows = 1 } = network;
  const { overlap, approximate } = tileOverlap(graph);
  const { multiple } = paddingOf(graph);
  const grid = windows % squares === 0 ? windows : windows * squares;
  // The alpha channel is enlarged bilinearly from the tile's own pixels, and so are the colours if
  // the network computes only luma. The overlap must therefore be at least 1.
  const cutting = { overlap: Math.max(1, overlap), multiple, grid, edge };
  return {
    // In a tile, attention that normally covers the whole image sees only that tile, so its result
    // is approximate.
    approximate: approximate || graph.nodes.some((node) => opRules(node).global(node) === 'pixels'),
    /**
     * Whether pixels attend to distant pixels. If so, the network's trunk (`trunk.ts`) should
     * process the whole image.
     */
    far: graph.nodes.some(looksFar),
    /** Whether the network uses means over the whole image. All tiles must share these means. */
    pools: graph.nodes.some((node) => opRules(node).global(node) === 'means'),
    plan: (tileSize: number, fits: (size: Size) => boolean) =>
      planStrips(image, scale, cutting, tileSize, fits),
    /**
     * Cuts the image into at most `count` strips of nearly equal height. Each strip is one tile.
     */
    bands: (count: number) =>
      cutTiles(
        image,
        // `cutTiles` rounds the width down to whole cells. Adding one cell ensures that the rounded
        // width still covers the image. The height is a whole number of cells, chosen so that at
        // most `count` cores cover the image.
        {
          width: image.width + multiple,
          height: Math.ceil(image.height / multiple / count) * multiple,
        },
        cutting,
      ),
    halve: (strips: readonly StripPlan[]) => halveTiles(image, strips, cutting),
    region: (rect: Rect) => regionOf(image, rect, edge),
  };
}

/**
 * Cuts a rectangle into cores of nearly equal size, each at most as large as `core`. A tile's
 * source is its core plus the overlap (half the receptive field). If the edge is `zero`, sources
 * are clipped to the image, except that the last cells can extend past it. The network's zero
 * padding then applies only at the image's true border.
 */
export function cutTiles(
  image: Size,
  core: Size,
  { overlap, multiple, grid = 1, edge }: Cutting,
  rect: Rect = { x: 0, y: 0, width: image.width, height: image.height },
): StripPlan[] {
  const parts = (start: number, pixels: number, side: number, whole: number) => {
    const first = start / multiple;
    const cells = Math.ceil(pixels / multiple);
    const count = Math.max(1, Math.ceil(cells / Math.max(1, Math.floor(side / multiple))));
    const margin = Math.ceil(overlap / multiple);
    const [least, most] =
      edge === 'zero'
        ? [0, Math.ceil(whole / multiple)]
        : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    return Array.from({ length: count }, (_, i) => {
      const from = first + Math.floor((i * cells) / count);
      const to = first + Math.floor(((i + 1) * cells) / count);
      const low = Math.max(least, Math.floor((from - margin) / grid) * grid);
      return {
        from: from * multiple,
        size: Math.min(start + pixels, to * multiple) - from * multiple,
        low: low * multiple,
        span: (Math.min(most, to + margin) - low) * multiple,
      };
    });
  };
  const columns = parts(rect.x, rect.width, core.width, image.width);
  return parts(rect.y, rect.height, core.height, image.height).map((r) => ({
    y: r.from,
    height: r.size,
    tiles: columns.map((c) => ({
      core: { x: c.from, y: r.from, width: c.size, height: r.size },
      source: { x: c.low, y: r.low, width: c.span, height: r.span },
    })),
  }));
}

/**
 * Cuts an image into strips of tiles. The tiles are as large as `fits` allows, but the sides of
 * their cores are at most `tileSize` pixels.
 * @throws CrispenError `OUT_OF_MEMORY` if even the smallest tile does not fit.
 */
export function planStrips(
  image: Size,
  scale: number,
  cutting: Cutting,
  tileSize: number,
  fits: (size: Size) => boolean,
): StripPlan[] {
  const { width, height } = image;
  const { overlap, multiple, grid = 1, edge } = cutting;
  // Partial cells on both sides can make a tile larger than its core plus overlap.
  const both = 2 * (overlap + multiple - 1) + (grid - 1) * multiple;
  const rows = Math.max(MIN_CORE, Math.floor(STRIP_BYTES / (width * scale ** 2 * 4)));
  const side = (core: number, whole: number) =>
    edge === 'zero' ? Math.min(whole, core + both) : Math.min(whole, core) + both;
  const tileFits = (core: number) =>
    fits({ width: side(core, width), height: side(Math.min(core, rows), height) });
  const smallest = Math.min(MIN_CORE, tileSize);
  if (!tileFits(smallest)) {
    throw new CrispenError('OUT_OF_MEMORY', 'Even the smallest tile exceeds the memory budget.', {
      hint: 'Raise the memory budget or choose a smaller model.',
    });
  }
  let [low, high] = [smallest, Math.min(tileSize, Math.max(width, height)) + 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (tileFits(middle)) low = middle;
    else high = middle;
  }
  return cutTiles(image, { width: low, height: Math.min(low, rows) }, cutting);
}

/**
 * Cuts strips into tiles with half the side length. Returns null if the tiles would be smaller than
 * the minimum. The strips keep their height, because one of them might be in progress.
 */
export function halveTiles(
  image: Size,
  strips: readonly StripPlan[],
  cutting: Cutting,
): StripPlan[] | null {
  let side = 0;
  // This loop does not use `Math.max(...sides)`, because an image can have more tiles than a call
  // can have arguments.
  for (const { tiles } of strips) {
    for (const { core } of tiles) side = Math.max(side, core.width, core.height);
  }
  const half = side >> 1;
  if (half < MIN_CORE) return null;
  const core = { width: half, height: half };
  return strips.map((strip) => ({
    ...strip,
    tiles: strip.tiles.flatMap((tile) =>
      cutTiles(image, core, cutting, tile.core).flatMap(({ tiles }) => tiles),
    ),
  }));
}

/**
 * Returns the pixels of a rectangle. If the edge is `zero`, the rectangle is clipped to the image.
 * With `replicate`, a pixel beyond the image is a copy of the nearest pixel in the image. With
 * `wrap`, it is copied from the opposite side.
 */
export function regionOf(image: RgbaImage, rect: Rect, edge: Edge): RgbaImage {
  const columns = indices(rect.x, rect.width, image.width, edge);
  const rows = indices(rect.y, rect.height, image.height, edge);
  const [width, height] = [columns.length, rows.length];
  if (edge !== 'zero' || width !== image.width) return gather(image, columns, rows);
  const data = image.data.subarray(rows[0] * width * 4, (rows[0] + height) * width * 4);
  return { width, height, data } as RgbaImage;
}

/** Returns an image made of the pixels in the given columns and rows. */
export function gather(
  image: RgbaImage,
  columns: readonly number[],
  rows: readonly number[],
): RgbaImage {
  const [width, height] = [columns.length, rows.length];
  const data = samplesOf(depthOf(image), width * height);
  // Adjacent columns are copied together. `starts` has the first index of each group.
  const starts = columns.flatMap((x, i) => (x === columns[i - 1] + 1 ? [] : [i]));
  rows.forEach((y, row) => {
    starts.forEach((start, i) => {
      const pixels = (starts[i + 1] ?? width) - start;
      const from = y * image.width + columns[start];
      const group = image.data.subarray(from * 4, (from + pixels) * 4);
      data.set(group, (row * width + start) * 4);
    });
  });
  return { width, height, data } as RgbaImage;
}

/**
 * Returns the pixel coordinates to read for a span along one axis. With `zero`, positions outside
 * the image are left out.
 */
function indices(start: number, length: number, size: number, edge: Edge): number[] {
  const span = spanOf(start, length);
  if (edge === 'zero') return span.filter((i) => i >= 0 && i < size);
  if (edge === 'wrap') return span.map((i) => ((i % size) + size) % size);
  return span.map((i) => Math.min(Math.max(i, 0), size - 1));
}

/** Returns `length` consecutive integers. */
export const spanOf = (start: number, length: number): number[] =>
  Array.from({ length }, (_, i) => start + i);
