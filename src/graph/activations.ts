/** All activations: the value at v. A kernel's is a line of `shaders/lib/activation.wgsl`. */
export const ACTIVATIONS = {
  leakyRelu: (v: number, slope: number) => (v >= 0 ? v : v * slope),
  relu: (v: number) => Math.max(v, 0),
  sigmoid: (v: number) => 1 / (1 + Math.exp(-v)),
  /** v * sigmoid(v) */
  silu: (v: number) => v / (1 + Math.exp(-v)),
  /** sigmoid(v) - 0.5: odd, within -0.5 .. 0.5 */
  centredSigmoid: (v: number) => 0.5 * Math.tanh(v / 2),
} as const;

export type ActivationName = keyof typeof ACTIVATIONS;

export type Activation =
  | { readonly fn: 'leakyRelu'; readonly slope: number }
  | { readonly fn: Exclude<ActivationName, 'leakyRelu'> };
