import type { Activation } from '../../graph/graph.ts';
import { activate } from '../activation.ts';
import { mapLike, type PlanarMap, type Reals } from '../planar.ts';

/** Computes `y[i] = f(i)` for a map with the same shape as `like`. */
function fill<T extends Reals>(like: PlanarMap<T>, f: (index: number) => number): PlanarMap<T> {
  const y = mapLike(like, like.channels, like.height, like.width);
  for (let i = 0; i < y.data.length; i++) y.data[i] = f(i);
  return y;
}

export const activationReference = <T extends Reals>(
  x: PlanarMap<T>,
  activation: Activation,
): PlanarMap<T> => fill(x, (i) => activate(activation, x.data[i]));

export const mulReference = <T extends Reals>(a: PlanarMap<T>, b: PlanarMap<T>): PlanarMap<T> =>
  fill(a, (i) => a.data[i] * b.data[i]);

/** Computes `a + factor * b`. */
export const addReference = <T extends Reals>(
  a: PlanarMap<T>,
  b: PlanarMap<T>,
  factor = 1,
): PlanarMap<T> => fill(a, (i) => a.data[i] + factor * b.data[i]);

/** Computes `v >= 0 ? v : slopes[c] * v` for each value `v` of channel `c`. */
export function preluReference<T extends Reals>(
  x: PlanarMap<T>,
  slopes: Float32Array,
): PlanarMap<T> {
  const plane = x.height * x.width;
  return fill(x, (i) => {
    const v = x.data[i];
    return v >= 0 ? v : slopes[Math.floor(i / plane)] * v;
  });
}

/** Computes `scale[c] * v + shift[c]` for each value `v` of channel `c`. */
export function affineReference<T extends Reals>(
  x: PlanarMap<T>,
  scale: readonly number[],
  shift: readonly number[],
): PlanarMap<T> {
  const plane = x.height * x.width;
  return fill(x, (i) => {
    const c = Math.floor(i / plane);
    return scale[c] * x.data[i] + shift[c];
  });
}

/** Computes `p[0] * a + p[1] * b`. */
export const mixReference = <T extends Reals>(
  a: PlanarMap<T>,
  b: PlanarMap<T>,
  p: Reals,
): PlanarMap<T> => fill(a, (i) => p[0] * a.data[i] + p[1] * b.data[i]);
