import type { Activation } from '../graph/graph.ts';
import type { Constants } from './kernel.ts';

const IDS = { leakyRelu: 1, relu: 2, sigmoid: 3, silu: 4, centredSigmoid: 5 } as const;
/** A slope per channel: a convolution finds the slopes behind its biases. */
const PRELU = 6;

/** What lib/epilogue.wgsl calls an activation; 0 for none. */
export const activationId = (activation: Activation | 'prelu' | null): number =>
  activation === 'prelu' ? PRELU : activation ? IDS[activation.fn] : 0;

/** The slope that lib/epilogue.wgsl wants with an activation. */
export const slopeOf = (activation: Activation | 'prelu' | null): number =>
  activation !== 'prelu' && activation?.fn === 'leakyRelu' ? activation.slope : 0;

/** The prelude constants `ACT<n>` and `SLOPE<n>` of lib/epilogue.wgsl. */
export function activationConstants(index: 0 | 1, activation: Activation | null): Constants {
  return {
    [`ACT${index}`]: activationId(activation),
    [`SLOPE${index}`]: { f32: slopeOf(activation) },
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
    case 'silu':
      return v / (1 + Math.exp(-v));
    case 'centredSigmoid':
      return 0.5 * Math.tanh(v / 2);
    default:
      return v;
  }
}
