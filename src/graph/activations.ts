/**
 * All activations as functions of one value. `shaders/lib/activation.wgsl` has a line for each of
 * them.
 */
export const ACTIVATIONS = {
  leakyRelu: (v: number, slope: number) => (v >= 0 ? v : v * slope),
  relu: (v: number) => Math.max(v, 0),
  sigmoid: (v: number) => 1 / (1 + Math.exp(-v)),
  /** v * sigmoid(v) */
  silu: (v: number) => v / (1 + Math.exp(-v)),
  /** sigmoid(v) - 0.5: odd, in the range -0.5 to 0.5 */
  centredSigmoid: (v: number) => 0.5 * Math.tanh(v / 2),
} as const;

export type ActivationName = keyof typeof ACTIVATIONS;

export type Activation =
  | { readonly fn: 'leakyRelu'; readonly slope: number }
  | { readonly fn: Exclude<ActivationName, 'leakyRelu'> };
