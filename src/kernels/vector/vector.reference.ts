import type { Activation } from '../../graph/graph.ts';
import { activate } from '../activation.ts';

/** Computes y[o] = sum_i w[o, i] * x[i] + b[o] with row-major `weights` and sums in f64. */
export function linearReference(
  x: Float32Array,
  weights: Float32Array,
  lengthOut: number,
  bias: Float32Array | null = null,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: lengthOut }, (_, o) => {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < x.length; i++) sum += weights[o * x.length + i] * x[i];
    return sum;
  });
}

export const vectorActivationReference = (
  x: Float32Array,
  activation: Activation,
): Float32Array<ArrayBuffer> => Float32Array.from(x, (v) => activate(activation, v));

/** Computes softmax(x / temperature) without overflow. */
export function softmaxReference(x: Float32Array, temperature: number): Float32Array<ArrayBuffer> {
  const largest = Math.max(...x);
  const e = Array.from(x, (v) => Math.exp((v - largest) / temperature));
  const sum = e.reduce((a, b) => a + b);
  return Float32Array.from(e, (v) => v / sum);
}
