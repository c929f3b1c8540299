/**
 * Plans tiles for networks that read reflected pixels around the image (`Padding.border`). The
 * border is added to the image, and the result is cut into tiles. The area that each tile computes
 * is then clipped to the original image.
 */
import type { Rect, Size } from '../../geometry.ts';
import { paddedSide, paddingOf } from '../../graph/analysis.ts';
import type { Padding } from '../../graph/ops.ts';
import type { RgbaImage } from '../../image/image.ts';
import { gather, type StripPlan, spanOf, type tilerFor } from './tiler.ts';

/**
 * Wraps `tilerFor` from `tiler.ts` so that it also supports networks with a `Padding.border`. If
 * `edge` is not `zero`, it already defines the pixels around the image, so no border is added.
 */
export const around =
  (make: typeof tilerFor): typeof tilerFor =>
  (image, network, edge, squares) => {
    const padding = paddingOf(network.graph);
    const { border, multiple } = padding;
    if (border === undefined || edge !== 'zero') return make(image, network, edge, squares);
    const whole = withBorder(image, padding);
    const tiler = make(whole, network, edge, squares);
    const inside = (strips: readonly StripPlan[]) => withoutBorder(strips, image, border);
    /**
     * Whether one tile covers the whole image. If so, `pools` is false, because this tile itself
     * computes the statistics of the whole image.
     */
    let single = false;
    return {
      ...tiler,
      get pools() {
        return tiler.pools && !single;
      },
      plan(tileSize, fits) {
        // If the image without the border fits in one tile, the tile is enlarged to include the
        // border.
        const fitsOne = Math.max(image.width, image.height) <= tileSize;
        const strips = inside(tiler.plan(fitsOne ? tileSize + 2 * border : tileSize, fits));
        single = strips.length === 1 && strips[0].tiles.length === 1;
        return strips;
      },
      bands: (count) => inside(tiler.bands(count)),
      halve(strips) {
        single = false;
        const halves = tiler.halve(inCells(strips, border, multiple));
        return halves && inside(halves);
      },
      region: ({ x, y, width, height }) =>
        gather(whole, spanOf(x + border, width), spanOf(y + border, height)),
    };
  };

/** Returns the size of an image including the network's padding. */
export const paddedSize = (padding: Padding, { width, height }: Size): Size => ({
  width: paddedSide(padding, width),
  height: paddedSide(padding, height),
});

/**
 * Pads an image with reflected pixels if the network has a `Padding.border`. The reflection does
 * not repeat the pixels at the edge.
 */
export function withBorder(image: RgbaImage, padding: Padding): RgbaImage {
  const { border } = padding;
  if (border === undefined) return image;
  const { width, height } = paddedSize(padding, image);
  return gather(
    image,
    reflected(width, border, image.width),
    reflected(height, border, image.height),
  );
}

/**
 * Extends a line of pixels by reflection at both ends. Returns, for each pixel of the extended
 * line, the index of the original pixel that it copies.
 * @param length the length of the extended line
 * @param border the number of pixels added before the original line
 * @param size the length of the original line
 */
function reflected(length: number, border: number, size: number): number[] {
  const period = Math.max(1, 2 * size - 2);
  return Array.from({ length }, (_, i) => {
    const at = Math.abs(i - border) % period;
    return Math.min(at, period - at);
  });
}

const shifted = (rect: Rect, by: number): Rect => ({
  ...rect,
  x: rect.x + by,
  y: rect.y + by,
});

/**
 * Converts strips to the coordinates of the image with its border. Enlarges each core on the left
 * and at the top, so that its `x` and `y` are multiples of `multiple`, as `tiler.halve` requires.
 * They might not be multiples after `withoutBorder` has clipped the core.
 */
const inCells = (strips: readonly StripPlan[], border: number, multiple: number): StripPlan[] =>
  strips.map(({ y, height, tiles }) => ({
    y: y + border,
    height,
    tiles: tiles.map(({ core, source }) => {
      const { x, y, width, height } = shifted(core, border);
      const [left, above] = [x % multiple, y % multiple];
      return {
        core: { x: x - left, y: y - above, width: width + left, height: height + above },
        source: shifted(source, border),
      };
    }),
  }));

/** Clips strips to the image and converts them to the image's coordinates. */
const withoutBorder = (strips: readonly StripPlan[], image: Size, border: number): StripPlan[] =>
  strips.flatMap((strip) => {
    const rows = within(strip.y - border, strip.height, image.height);
    const tiles = strip.tiles.flatMap(({ core, source }) => {
      const columns = within(core.x - border, core.width, image.width);
      const part = { x: columns.from, y: rows.from, width: columns.size, height: rows.size };
      return columns.size > 0 ? [{ core: part, source: shifted(source, -border) }] : [];
    });
    return rows.size > 0 ? [{ y: rows.from, height: rows.size, tiles }] : [];
  });

function within(from: number, size: number, whole: number) {
  const start = Math.max(0, from);
  return { from: start, size: Math.min(whole, from + size) - start };
}
