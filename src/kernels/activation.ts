import { ACTIVATIONS, type Activation, type ActivationName } from '../graph/activations.ts';
import type { Constants } from './kernel.ts';

/**
 * An activation, a PReLU, or null for no activation. A PReLU's slopes are stored after the biases
 * of the convolution that it follows.
 */
type Any = Activation | 'prelu' | null;

const NAMES = [null, ...(Object.keys(ACTIVATIONS) as ActivationName[]), 'prelu'] as const;

const upperSnake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** The prelude constants `ACTIVATION_<NAME>` that lib/activation.wgsl uses. */
export const ACTIVATION_IDS: Constants = Object.fromEntries(
  NAMES.map((name, id) => [`ACTIVATION_${upperSnake(name ?? 'none')}`, id]),
);

/** Returns the id that lib/activation.wgsl uses for an activation. */
export const activationId = (activation: Any): number =>
  NAMES.indexOf(activation === 'prelu' ? activation : (activation?.fn ?? null));

/**
 * Returns the slope for negative values if the activation is null (the identity), a ReLU or a leaky
 * ReLU. For a PReLU, the result is 1 and is not used, because the shaders read its slopes from the
 * buffer that contains the biases.
 */
export const slopeOf = (activation: Any): number => {
  if (activation === 'prelu' || activation === null) return 1;
  return activation.fn === 'leakyRelu' ? activation.slope : 0;
};

/**
 * Returns whether the activation is linear on each side of zero. If so, `leaky` in
 * lib/activation.wgsl can compute it with the slope from `slopeOf`.
 */
export const isLinear = (activation: Activation | null): boolean =>
  activation === null || activation.fn === 'relu' || activation.fn === 'leakyRelu';

/**
 * Returns the prelude constants `ACT<n>` and `SLOPE<n>`, and the constants that lib/activation.wgsl
 * uses.
 */
export function activationConstants(index: 0 | 1, activation: Activation | null): Constants {
  return {
    ...ACTIVATION_IDS,
    [`ACT${index}`]: activationId(activation),
    [`SLOPE${index}`]: { f32: slopeOf(activation) },
  };
}

/** Applies an activation to one value. This is the reference for the shaders. */
export const activate = (activation: Activation | null, v: number): number =>
  activation === null ? v : ACTIVATIONS[activation.fn](v, slopeOf(activation));
