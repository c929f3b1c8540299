import type { Rect } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';
import { type MapView, pixelAt } from './layout.ts';

const topOf = (data: RgbaImage['data']): number => (data instanceof Uint16Array ? 65535 : 255);

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
    for (let x = 0; x < map.width; x++, to += step) {
      const from = (line + (x < image.width ? x : reflected(x, image.width))) * 4;
      const [r, g, b] = [data[from] * factor, data[from + 1] * factor, data[from + 2] * factor];
      floats.fill(0, to, to + step);
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
 */
export function pack(
  floats: Float32Array,
  map: MapView,
  range: number,
  { core, scale, source, to }: Packing,
): boolean {
  const top = topOf(source.data);
  const factor = top / range;
  const step = map.pixel / 4;
  const grey = map.channels === 1;
  const opaque = !grey && isOpaque(source.data, top);
  const below = new Float64Array(4);
  let finite = true;
  for (let y = 0; y < core.height * scale; y++) {
    const row = core.y * scale + y;
    let from = pixelAt(map, row, core.x * scale) / 4;
    let at = to.offset + y * to.width * 4;
    for (let x = 0; x < core.width * scale; x++, from += step, at += 4) {
      if (!opaque) bilinear(source, scale, row, core.x * scale + x, below);
      const shift = grey ? luma(below[0], below[1], below[2]) : 0;
      for (let c = 0; c < 3; c++) {
        const value = floats[grey ? from : from + c];
        // For NaN and infinity, subtracting the value from itself results in NaN instead of zero.
        finite &&= value - value === 0;
        to.data[at + c] = rounded(value * factor + (grey ? below[c] - shift : 0), top);
      }
      to.data[at + 3] = opaque ? top : rounded(below[3], top);
    }
  }
  return finite;
}

function rounded(v: number, top: number): number {
  if (v <= 0) return 0;
  if (v >= top) return top;
  const floor = Math.floor(v);
  const rest = v - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

function isOpaque(data: RgbaImage['data'], top: number): boolean {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== top) return false;
  return true;
}

/**
 * Computes the four channels of one pixel of the bilinearly enlarged source (half-pixel centres,
 * clamped edges) and writes them to `to`.
 */
function bilinear(
  { width, height, data }: RgbaImage,
  scale: number,
  y: number,
  x: number,
  to: Float64Array,
): void {
  const sy = Math.max((y + 0.5) / scale - 0.5, 0);
  const sx = Math.max((x + 0.5) / scale - 0.5, 0);
  const [top, left] = [Math.min(Math.floor(sy), height - 1), Math.min(Math.floor(sx), width - 1)];
  const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
  const [fy, fx] = [sy - top, sx - left];
  for (let c = 0; c < 4; c++) {
    const at = (row: number, column: number) => data[(row * width + column) * 4 + c];
    const upper = at(top, left) * (1 - fx) + at(top, right) * fx;
    const lower = at(bottom, left) * (1 - fx) + at(bottom, right) * fx;
    to[c] = upper * (1 - fy) + lower * fy;
  }
}
