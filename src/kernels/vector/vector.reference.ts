import type { Activation } from '../../graph/graph.ts';
import { activate } from '../activation.ts';
import type { Reals } from '../planar.ts';

/** Multiplies the row-major matrix `weights` by `x` and adds `bias`. Sums are f64. */
export function linearReference<T extends Reals>(
  x: T,
  weights: Float32Array,
  lengthOut: number,
  bias: Float32Array | null = null,
): T {
  const type = x.constructor as typeof Float32Array;
  return type.from({ length: lengthOut }, (_, o) => {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < x.length; i++) sum += weights[o * x.length + i] * x[i];
    return sum;
  }) as T;
}

export const vectorActivationReference = <T extends Reals>(x: T, activation: Activation): T =>
  x.map((v) => activate(activation, v)) as T;

/** Computes `softmax(x / temperature)` without overflow. */
export function softmaxReference<T extends Reals>(x: T, temperature: number): T {
  const largest = Math.max(...x);
  const e = Array.from(x, (v) => Math.exp((v - largest) / temperature));
  const sum = e.reduce((a, b) => a + b);
  return x.map((_, i) => e[i] / sum) as T;
}
