import { type PlanarMap, planarMap } from './planar.ts';

/** Rounds half to even, as WGSL and the reference evaluations do. */
export function roundHalfToEven(v: number): number {
  const floor = Math.floor(v);
  const rest = v - floor;
  if (rest !== 0.5) return Math.round(v);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** 8-bit RGBA -> planar map of R, G, B, A in 0..range. */
export function unpackRgba8Reference(
  data: Uint8ClampedArray,
  width: number,
  height: number,
  range: number,
): PlanarMap {
  const map = planarMap(4, height, width);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 4; c++) map.data[c * plane + i] = data[i * 4 + c] * (range / 255);
  }
  return map;
}

/** Planar map of R, G, B, A in 0..range -> 8-bit RGBA, clamped, rounded half to even. */
export function packRgba8Reference(
  map: PlanarMap,
  range: number,
): { data: Uint8ClampedArray<ArrayBuffer>; finite: boolean } {
  const plane = map.width * map.height;
  const data = new Uint8ClampedArray(plane * 4);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 4; c++) {
      const v = map.data[c * plane + i] * (255 / range);
      data[i * 4 + c] = roundHalfToEven(Math.min(Math.max(v, 0), 255));
    }
  }
  return { data, finite: map.data.every(Number.isFinite) };
}
