import type { Rect } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';
import { isOpaque } from '../image/pixels.ts';
import { type MapView, pixelAt } from './layout.ts';
import type { Pause } from './tasks.ts';

/** Returns the largest value of a sample. */
const topOf = (data: RgbaImage['data']): number => 256 ** data.BYTES_PER_ELEMENT - 1;

/**
 * Mirrors a position beyond the image's right or bottom edge into the range 0 to `size - 1`,
 * without repeating the edge pixel. Other positions do not change.
 */
function reflected(i: number, size: number): number {
  const period = Math.max(1, 2 * size - 2);
  return Math.min(i % period, period - (i % period));
}

/**
 * Converts pixels to a network's input. If the map is larger than the image, the rest is filled
 * with reflected pixels.
 */
export function unpack(floats: Float32Array, map: MapView, image: RgbaImage, range: number): void {
  const { data } = image;
  const factor = range / topOf(data);
  const step = map.pixel / 4;
  for (let y = 0; y < map.height; y++) {
    const line = reflected(y, image.height) * image.width;
    let to = pixelAt(map, y, 0) / 4;
    floats.fill(0, to, to + map.width * step);
    for (let x = 0; x < map.width; x++, to += step) {
      const from = (line + (x < image.width ? x : reflected(x, image.width))) * 4;
      const [r, g, b] = [data[from] * factor, data[from + 1] * factor, data[from + 2] * factor];
      if (map.channels === 1) floats[to] = luma(r, g, b);
      else {
        floats[to] = r;
        floats[to + 1] = g;
        floats[to + 2] = b;
      }
    }
  }
}

const luma = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;

/** A part of the result: the rectangle `core` of `source`, enlarged by `scale`. */
export interface Packing {
  readonly core: Rect;
  readonly scale: number;
  /**
   * The pixels that the network read. Alpha is computed from them. If the network only computes
   * luma, the result's chroma is computed from them too.
   */
  readonly source: RgbaImage;
  /**
   * Where to write the core: an array, the index of the first sample, and the number of pixels per
   * row.
   */
  readonly to: {
    readonly data: RgbaImage['data'];
    readonly offset: number;
    readonly width: number;
  };
}

/**
 * Converts a network's result to pixels. Values are scaled, clamped, and rounded to integers, with
 * ties rounded to even. Alpha is enlarged bilinearly. If the network only computes luma, the
 * differences between the colours and luma are enlarged bilinearly too.
 * @returns false if a value was not finite
 * @throws CrispenError `ABORTED`
 */
export async function pack(
  floats: Float32Array,
  map: MapView,
  range: number,
  { core, scale, source, to: { data, offset, width } }: Packing,
  pause: Pause,
): Promise<boolean> {
  const top = topOf(source.data);
  const factor = top / range;
  const step = map.pixel / 4;
  const grey = map.channels === 1;
  const sampled = grey || !isOpaque(source.data);
  // What `sample` would write for an opaque pixel if the network computes colours.
  const added = [0, 0, 0, top];
  let sum = 0;
  for (let y = 0; y < core.height * scale; y++) {
    const row = core.y * scale + y;
    let from = pixelAt(map, row, core.x * scale) / 4;
    let at = offset + y * width * 4;
    for (let x = 0; x < core.width * scale; x++, from += step, at += 4) {
      if (sampled) sample(source, scale, row, core.x * scale + x, grey, added);
      for (let c = 0; c < 3; c++) {
        const value = floats[grey ? from : from + c];
        sum += value;
        data[at + c] = rounded(value * factor + added[c], top);
      }
      data[at + 3] = rounded(added[3], top);
    }
    await pause();
  }
  // If a value was NaN or infinite, so is the sum. Finite f32 values cannot make it overflow.
  return Number.isFinite(sum);
}

/** Doubles of this size are integers, so adding this number rounds the other summand. */
const ROUNDING = 2 ** 52;

/** Clamps a value to the range 0 to `top` and rounds it to an integer, with ties rounded to even. */
const rounded = (v: number, top: number): number =>
  Math.min(Math.max(v, 0), top) + ROUNDING - ROUNDING;

/**
 * Computes one pixel of the bilinearly enlarged source (half-pixel centres, clamped edges). Writes
 * its alpha to `to[3]` and, if `grey` is set, the differences between its colours and luma to the
 * other elements.
 */
function sample(
  { width, height, data }: RgbaImage,
  scale: number,
  y: number,
  x: number,
  grey: boolean,
  to: number[],
): void {
  const [top, bottom, fy] = between(y, scale, height);
  const [left, right, fx] = between(x, scale, width);
  for (let c = grey ? 0 : 3; c < 4; c++) {
    const at = (row: number, column: number) => data[(row * width + column) * 4 + c];
    const upper = at(top, left) * (1 - fx) + at(top, right) * fx;
    const lower = at(bottom, left) * (1 - fx) + at(bottom, right) * fx;
    to[c] = upper * (1 - fy) + lower * fy;
  }
  if (!grey) return;
  const shift = luma(to[0], to[1], to[2]);
  for (let c = 0; c < 3; c++) to[c] -= shift;
}

/** Returns the two source positions next to an output position, and the weight of the second. */
function between(i: number, scale: number, size: number): [number, number, number] {
  const position = Math.max((i + 0.5) / scale - 0.5, 0);
  const first = Math.floor(position);
  return [first, Math.min(first + 1, size - 1), position - first];
}
