/**
 * All activations, as functions of a single value. `shaders/lib/activation.wgsl` has one case for
 * each.
 */
export const ACTIVATIONS = {
  leakyRelu: (v: number, slope: number) => (v >= 0 ? v : v * slope),
  relu: (v: number) => Math.max(v, 0),
  sigmoid: (v: number) => 1 / (1 + Math.exp(-v)),
  /** `v * sigmoid(v)` */
  silu: (v: number) => v / (1 + Math.exp(-v)),
  /** `v / 2 * (1 + erf(v / sqrt(2)))` */
  gelu: (v: number) => 0.5 * v * (1 + erf(v * Math.SQRT1_2)),
  /** `v * tanh(ln(1 + e^v))` */
  mish: (v: number) => v * Math.tanh(v > 30 ? v : Math.log1p(Math.exp(v))),
  /** `sigmoid(v) - 0.5`, an odd function in the range -0.5 to 0.5 */
  centredSigmoid: (v: number) => 0.5 * Math.tanh(v / 2),
} as const;

export type ActivationName = keyof typeof ACTIVATIONS;

export type Activation =
  | { readonly fn: 'leakyRelu'; readonly slope: number }
  | { readonly fn: Exclude<ActivationName, 'leakyRelu'> };

/** The error function to f64 precision, computed as a series of positive terms. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  let term = a;
  let sum = a;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * a * a) / (2 * n + 1);
    sum += term;
  }
  return ((Math.sign(x) * 2) / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
}
