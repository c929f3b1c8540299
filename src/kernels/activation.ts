import type { Activation } from '../graph/graph.ts';
import type { Constants } from './kernel.ts';

const IDS = { leakyRelu: 1, relu: 2, sigmoid: 3 } as const;

/** What lib/epilogue.wgsl calls an activation; 0 for none. */
export const activationId = (activation: Activation | null): number =>
  activation ? IDS[activation.fn] : 0;

/** The prelude constants `ACT<n>` and `SLOPE<n>` of lib/epilogue.wgsl. */
export function activationConstants(index: 0 | 1, activation: Activation | null): Constants {
  return {
    [`ACT${index}`]: activationId(activation),
    [`SLOPE${index}`]: { f32: activation?.fn === 'leakyRelu' ? activation.slope : 0 },
  };
}

/** Plain reference: the activation of one value. */
export function activate(activation: Activation | null, v: number): number {
  switch (activation?.fn) {
    case 'leakyRelu':
      return v >= 0 ? v : v * activation.slope;
    case 'relu':
      return Math.max(v, 0);
    case 'sigmoid':
      return 1 / (1 + Math.exp(-v));
    default:
      return v;
  }
}
