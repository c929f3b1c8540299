import { blocksOf } from './kernel.ts';

/**
 * The arrays of values that the reference kernels read and return. A result has the type of its
 * input: f32, or f64 to avoid rounding errors. Sums are always f64.
 */
export type Reals = Float32Array | Float64Array;

/** Creates an array of zeros with the same type as `like`. */
export const realsLike = <T extends Reals>(like: T, length: number): T =>
  new (like.constructor as new (length: number) => T)(length);

/** A feature map for the reference kernels, in planar (chw), row-major order. */
export interface PlanarMap<T extends Reals = Float32Array<ArrayBuffer>> {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: T;
}

/** Creates a map of zeros in f32. */
export function planarMap(channels: number, height: number, width: number): PlanarMap {
  return { channels, height, width, data: new Float32Array(channels * height * width) };
}

/** Creates a map of zeros with the same type of values as the given map. */
export const mapLike = <T extends Reals>(
  { data }: PlanarMap<T>,
  channels: number,
  height: number,
  width: number,
): PlanarMap<T> => ({ channels, height, width, data: realsLike(data, channels * height * width) });

/**
 * Converts a planar map to Chw4c, the layout of the GPU kernels' maps (see kernel.ts). The last
 * block of four channels is padded with zeros.
 */
export function toBlocked(map: PlanarMap): Float32Array<ArrayBuffer> {
  const { channels, height, width, data } = map;
  const plane = height * width;
  const blocked = new Float32Array(blocksOf(channels) * plane * 4);
  for (let c = 0; c < channels; c++) {
    const to = (c >> 2) * plane * 4 + (c & 3);
    for (let i = 0; i < plane; i++) blocked[to + i * 4] = data[c * plane + i];
  }
  return blocked;
}

/** Converts Chw4c to a planar map, without the padding in the last block of four channels. */
export function fromBlocked(
  blocked: Float32Array,
  channels: number,
  height: number,
  width: number,
): PlanarMap {
  const map = planarMap(channels, height, width);
  const plane = height * width;
  for (let c = 0; c < channels; c++) {
    const from = (c >> 2) * plane * 4 + (c & 3);
    for (let i = 0; i < plane; i++) map.data[c * plane + i] = blocked[from + i * 4];
  }
  return map;
}

/** Adds `weight * line[i + shift]` to `sums[i]` for each `i` where `line[i + shift]` exists. */
export function addShifted(sums: Float64Array, weight: number, line: Reals, shift: number): void {
  const end = Math.min(line.length, line.length - shift);
  for (let i = Math.max(0, -shift); i < end; i++) sums[i] += weight * line[i + shift];
}
