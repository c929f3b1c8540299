import type { Activation } from '../../graph/graph.ts';
import { activate } from '../activation.ts';
import { type PlanarMap, planarMap } from '../planar.ts';

/** Computes y[i] = f(i) for a map with the shape of `like`. */
function fill(like: PlanarMap, f: (index: number) => number): PlanarMap {
  const y = planarMap(like.channels, like.height, like.width);
  for (let i = 0; i < y.data.length; i++) y.data[i] = f(i);
  return y;
}

export const activationReference = (x: PlanarMap, activation: Activation): PlanarMap =>
  fill(x, (i) => activate(activation, x.data[i]));

export const mulReference = (a: PlanarMap, b: PlanarMap): PlanarMap =>
  fill(a, (i) => a.data[i] * b.data[i]);

/** Computes a + factor * b. */
export const addReference = (a: PlanarMap, b: PlanarMap, factor = 1): PlanarMap =>
  fill(a, (i) => a.data[i] + factor * b.data[i]);

/** Computes v for v >= 0, otherwise slopes[c] * v. */
export function preluReference(x: PlanarMap, slopes: Float32Array): PlanarMap {
  const plane = x.height * x.width;
  return fill(x, (i) => {
    const v = x.data[i];
    return v >= 0 ? v : slopes[Math.floor(i / plane)] * v;
  });
}

/** Computes scale[c] * v + shift[c]. */
export function affineReference(
  x: PlanarMap,
  scale: readonly number[],
  shift: readonly number[],
): PlanarMap {
  const plane = x.height * x.width;
  return fill(x, (i) => {
    const c = Math.floor(i / plane);
    return scale[c] * x.data[i] + shift[c];
  });
}

/** Computes p[0] * a + p[1] * b. */
export const mixReference = (a: PlanarMap, b: PlanarMap, p: Float32Array): PlanarMap =>
  fill(a, (i) => p[0] * a.data[i] + p[1] * b.data[i]);
