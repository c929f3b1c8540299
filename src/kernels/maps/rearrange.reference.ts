import { mapLike, type PlanarMap, type Reals } from '../planar.ts';

/** Concatenates maps along their channels. */
export function concatReference<T extends Reals>(parts: readonly PlanarMap<T>[]): PlanarMap<T> {
  const channels = parts.reduce((sum, part) => sum + part.channels, 0);
  const y = mapLike(parts[0], channels, parts[0].height, parts[0].width);
  let at = 0;
  for (const part of parts) {
    y.data.set(part.data, at);
    at += part.data.length;
  }
  return y;
}

/**
 * Computes the pixel shuffle by `s`:
 *   y[c, i, j] = x[c * s * s + (i mod s) * s + j mod s, floor(i / s), floor(j / s)]
 */
export function pixelShuffleReference<T extends Reals>(x: PlanarMap<T>, s: number): PlanarMap<T> {
  const y = mapLike(x, x.channels / s ** 2, x.height * s, x.width * s);
  for (let c = 0; c < y.channels; c++) {
    for (let i = 0; i < y.height; i++) {
      for (let j = 0; j < y.width; j++) {
        const from = c * s * s + (i % s) * s + (j % s);
        y.data[(c * y.height + i) * y.width + j] =
          x.data[(from * x.height + Math.floor(i / s)) * x.width + Math.floor(j / s)];
      }
    }
  }
  return y;
}

/**
 * Computes the pixel unshuffle by `s`:
 *   y[c * s * s + dy * s + dx, i, j] = x[c, i * s + dy, j * s + dx]
 * The width and height of `x` must be multiples of `s`.
 */
export function pixelUnshuffleReference<T extends Reals>(x: PlanarMap<T>, s: number): PlanarMap<T> {
  const y = mapLike(x, x.channels * s ** 2, x.height / s, x.width / s);
  for (let o = 0; o < y.channels; o++) {
    const [c, dy, dx] = [Math.floor(o / s ** 2), Math.floor(o / s) % s, o % s];
    for (let i = 0; i < y.height; i++) {
      for (let j = 0; j < y.width; j++) {
        y.data[(o * y.height + i) * y.width + j] =
          x.data[(c * x.height + i * s + dy) * x.width + j * s + dx];
      }
    }
  }
  return y;
}
