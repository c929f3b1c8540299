import type { Activation } from '../graph/graph.ts';
import { activate } from './activation.ts';
import { type PlanarMap, planarMap } from './planar.ts';

/** y[i] = f(i) for a map of the shape of `like`. */
function fill(like: PlanarMap, f: (index: number) => number): PlanarMap {
  const y = planarMap(like.channels, like.height, like.width);
  for (let i = 0; i < y.data.length; i++) y.data[i] = f(i);
  return y;
}

export const activationReference = (x: PlanarMap, activation: Activation): PlanarMap =>
  fill(x, (i) => activate(activation, x.data[i]));

export const mulReference = (a: PlanarMap, b: PlanarMap): PlanarMap =>
  fill(a, (i) => a.data[i] * b.data[i]);

export const addReference = (a: PlanarMap, b: PlanarMap): PlanarMap =>
  fill(a, (i) => a.data[i] + b.data[i]);

/** p[0] * a + p[1] * b. */
export const mixReference = (a: PlanarMap, b: PlanarMap, p: Float32Array): PlanarMap =>
  fill(a, (i) => p[0] * a.data[i] + p[1] * b.data[i]);
