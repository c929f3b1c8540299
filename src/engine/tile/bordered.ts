/**
 * Tiles of networks that read reflected pixels around the image (`Padding.border`). They are those of
 * an image with its border, without what lies outside of the image.
 */
import type { Rect, Size } from '../../geometry.ts';
import { paddedSide, paddingOf } from '../../graph/analysis.ts';
import type { Padding } from '../../graph/ops.ts';
import type { RgbaImage } from '../../image/image.ts';
import type { Network } from '../../networks/network.ts';
import type { Edge } from '../types.ts';
import { tilerFor as plainTiler, regionOf, type StripPlan } from './tiler.ts';

type Tiler = ReturnType<typeof plainTiler>;

/**
 * As `tilerFor` of `tiler.ts`. With an edge other than `zero`, tiles read what the edge continues the
 * image with, and the network needs no border.
 */
export function tilerFor(image: RgbaImage, network: Network, edge: Edge, squares?: number): Tiler {
  const padding = paddingOf(network.graph);
  const { border = 0 } = padding;
  if (border === 0 || edge !== 'zero') return plainTiler(image, network, edge, squares);
  const whole = withBorder(image, padding);
  const tiler = plainTiler(whole, network, edge, squares);
  const inside = (strips: readonly StripPlan[]) => withoutBorder(strips, image, border);
  /** Whether the image is one tile, which finds its own statistics. */
  let single = false;
  return {
    ...tiler,
    get pools() {
      return tiler.pools && !single;
    },
    plan(tileSize, fits) {
      // The border alone is no reason to cut.
      const fitsOne = Math.max(image.width, image.height) <= tileSize;
      const strips = inside(tiler.plan(fitsOne ? tileSize + 2 * border : tileSize, fits));
      single = strips.length === 1 && strips[0].tiles.length === 1;
      return strips;
    },
    bands: (count) => inside(tiler.bands(count)),
    halve(strips) {
      single = false;
      const halves = tiler.halve(inCells(moved(strips, border), padding.multiple));
      return halves && inside(halves);
    },
    region: (rect) => regionOf(whole, shifted(rect, border), edge),
  };
}

/** The sides of an image with the network's padding. */
export const paddedSize = (padding: Padding, { width, height }: Size): Size => ({
  width: paddedSide(padding, width),
  height: paddedSide(padding, height),
});

/** An image with the border that a network needs, reflected without repeating the edge. */
export function withBorder(image: RgbaImage, padding: Padding): RgbaImage {
  const { border } = padding;
  if (border === undefined) return image;
  const { width, height } = paddedSize(padding, image);
  const columns = reflected(width, border, image.width);
  const rows = reflected(height, border, image.height);
  const data = image.data.slice(0, 0);
  const pixels = new (data.constructor as Uint16ArrayConstructor)(width * height * 4);
  rows.forEach((y, i) => {
    columns.forEach((x, j) => {
      const from = (y * image.width + x) * 4;
      pixels.set(image.data.subarray(from, from + 4), (i * width + j) * 4);
    });
  });
  return { width, height, data: pixels } as unknown as RgbaImage;
}

/** The pixels of a line of `length`, which begins `border` pixels before one of `size`. */
function reflected(length: number, border: number, size: number): number[] {
  const period = Math.max(1, 2 * size - 2);
  return Array.from({ length }, (_, i) => {
    const at = Math.abs(i - border) % period;
    return Math.min(at, period - at);
  });
}

const shifted = <R extends Rect>(rect: R, by: number): R => ({
  ...rect,
  x: rect.x + by,
  y: rect.y + by,
});

/** Strips whose image begins `by` pixels later. */
const moved = (strips: readonly StripPlan[], by: number): StripPlan[] =>
  strips.map(({ y, height, tiles }) => ({
    y: y + by,
    height,
    tiles: tiles.map(({ core, source }) => ({
      core: shifted(core, by),
      source: shifted(source, by),
    })),
  }));

/** Strips whose cores begin between cells, as before the border was cut off. */
const inCells = (strips: readonly StripPlan[], multiple: number): StripPlan[] =>
  strips.map((strip) => ({
    ...strip,
    tiles: strip.tiles.map(({ core, source }) => {
      const [left, above] = [core.x % multiple, core.y % multiple];
      return {
        core: {
          x: core.x - left,
          y: core.y - above,
          width: core.width + left,
          height: core.height + above,
        },
        source,
      };
    }),
  }));

/** The parts of strips that lie within the image, in its pixels. */
function withoutBorder(strips: readonly StripPlan[], image: Size, border: number): StripPlan[] {
  return moved(strips, -border).flatMap(({ tiles, ...strip }) => {
    const rows = within(strip.y, strip.height, image.height);
    const cut = tiles.flatMap(({ core, source }) => {
      const columns = within(core.x, core.width, image.width);
      const part = { x: columns.from, y: rows.from, width: columns.size, height: rows.size };
      return columns.size > 0 ? [{ core: part, source }] : [];
    });
    return rows.size > 0 ? [{ y: rows.from, height: rows.size, tiles: cut }] : [];
  });
}

function within(from: number, size: number, whole: number) {
  const start = Math.max(0, from);
  return { from: start, size: Math.min(whole, from + size) - start };
}
