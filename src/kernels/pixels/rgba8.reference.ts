import { paddedSide } from '../../graph/analysis.ts';
import type { Padding } from '../../graph/ops.ts';
import { bilinearSteps } from '../maps/enlarge.reference.ts';
import { mapLike, type PlanarMap, planarMap, type Reals } from '../planar.ts';
import { atOnce, each, type Steps } from '../steps.ts';
import type { PixelFormat } from './rgba8.ts';

/** Interleaved RGBA with 8 or 16 bits per sample. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint16Array;
}

/** Returns the largest sample value. */
export const topOf = (data: Pixels['data']): number => (data instanceof Uint16Array ? 65535 : 255);

/** Rounds half to even, as `round` does in WGSL. */
export function roundHalfToEven(v: number): number {
  const floor = Math.floor(v);
  const rest = v - floor;
  if (rest !== 0.5) return Math.round(v);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Mirrors a position beyond the end of a line into the range 0 to `size - 1`, without repeating the
 * edge.
 */
export function reflect(i: number, size: number): number {
  const period = Math.max(1, 2 * size - 2);
  const at = i % period;
  return Math.min(at, period - at);
}

/**
 * Pads a map. `padding.value` is in 0..1 and is multiplied by `range`, the upper end of the map's
 * range of values.
 */
export function padReference<T extends Reals>(
  map: PlanarMap<T>,
  padding: Padding,
  range: number,
): PlanarMap<T> {
  const [width, height] = [map.width, map.height].map((side) => paddedSide(padding, side));
  const y = mapLike(map, map.channels, height, width);
  const { value, border = 0 } = padding;
  // Negative positions, which lie before the first pixel, are mirrored to positive positions.
  const at = (i: number, size: number) => reflect(Math.abs(i - border), size);
  for (let c = 0; c < y.channels; c++) {
    for (let i = 0; i < y.height; i++) {
      for (let j = 0; j < y.width; j++) {
        const outside = i >= map.height || j >= map.width;
        const from = (c * map.height + at(i, map.height)) * map.width + at(j, map.width);
        y.data[(c * y.height + i) * y.width + j] =
          outside && value !== undefined ? value * range : map.data[from];
      }
    }
  }
  return y;
}

/**
 * Crops a map. `first` is the index of the first row and column to keep. By default, the upper left
 * part is kept.
 */
export function cropReference<T extends Reals>(
  map: PlanarMap<T>,
  height: number,
  width: number,
  first = 0,
): PlanarMap<T> {
  if (map.height === height && map.width === width) return map;
  const y = mapLike(map, map.channels, height, width);
  for (let c = 0; c < y.channels; c++) {
    for (let i = 0; i < height; i++) {
      const from = (c * map.height + first + i) * map.width + first;
      y.data.set(map.data.subarray(from, from + width), (c * height + i) * width);
    }
  }
  return y;
}

const luma = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;

/**
 * Converts RGBA to planar RGB, or to luma if the format has one channel. The results are in the
 * range 0 to `range`.
 */
export function* unpackRgba8Steps(
  image: Pixels,
  { range, channels }: PixelFormat,
): Steps<PlanarMap> {
  const { width, height, data } = image;
  const map = planarMap(channels, height, width);
  const plane = width * height;
  const store = (i: number) => {
    const rgb = [0, 1, 2].map((c) => data[i * 4 + c] * (range / topOf(data)));
    if (channels === 1) map.data[i] = luma(rgb[0], rgb[1], rgb[2]);
    else for (let c = 0; c < 3; c++) map.data[c * plane + i] = rgb[c];
  };
  yield* each(height, (y) => {
    for (let x = 0; x < width; x++) store(y * width + x);
  });
  return map;
}
export const unpackRgba8Reference = atOnce(unpackRgba8Steps);

/**
 * Converts planar RGB or luma, in the range 0 to `range`, to RGBA with the bit depth of the
 * low-resolution (LR) image. Values are clamped and rounded half to even. Alpha is enlarged
 * bilinearly from the LR image. If the map is luma, the colours of the LR image are enlarged in the
 * same way, and the differences between these colours and their luma are added to the map.
 */
export function* packRgba8Steps(
  map: PlanarMap<Reals>,
  lr: Pixels,
  { range, channels, scale }: PixelFormat & { readonly scale: number },
): Steps<{ data: Uint8ClampedArray<ArrayBuffer> | Uint16Array<ArrayBuffer>; finite: boolean }> {
  const { width, height } = map;
  const plane = width * height;
  const source = planarMap(4, lr.height, lr.width);
  const lrPlane = lr.width * lr.height;
  const top = topOf(lr.data);
  const data = top === 255 ? new Uint8ClampedArray(plane * 4) : new Uint16Array(plane * 4);
  yield* each(4 * lr.height, (row) => {
    for (let i = row * lr.width; i < (row + 1) * lr.width; i++)
      source.data[i] = lr.data[(i % lrPlane) * 4 + Math.floor(i / lrPlane)];
  });
  const { data: below } = yield* bilinearSteps(source, scale);
  let finite = true;
  const store = (at: number, v: number): void => {
    data[at] = roundHalfToEven(Math.min(Math.max(v, 0), top));
  };
  const pack = (i: number): void => {
    const [r, g, b, alpha] = [0, 1, 2, 3].map((c) => below[c * plane + i]);
    const grey = luma(r, g, b);
    [r, g, b].forEach((colour, c) => {
      const v = map.data[(channels === 1 ? 0 : c * plane) + i] * (top / range);
      finite &&= Number.isFinite(v);
      store(i * 4 + c, channels === 1 ? v + colour - grey : v);
    });
    store(i * 4 + 3, alpha);
  };
  yield* each(height, (y) => {
    for (let x = 0; x < width; x++) pack(y * width + x);
  });
  return { data, finite };
}
export const packRgba8Reference = atOnce(packRgba8Steps);
