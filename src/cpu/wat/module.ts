/**
 * Generates the text of the WebAssembly module. `npm run cpu:module` assembles the module with and
 * without relaxed SIMD. The library contains only the results (in `generated`), not this file.
 */
import { bilinearText } from './bilinear.ts';
import { convText } from './conv.ts';
import { moveText } from './move.ts';
import { pointwiseText } from './pointwise.ts';
import { sumsText } from './sums.ts';
import type { MultiplyAdd } from './text.ts';
import { winogradText } from './winograd.ts';

export interface Variant {
  /**
   * Whether to use the relaxed SIMD instruction `relaxed_madd`, which is a fused multiply-add on
   * CPUs that have one.
   */
  readonly relaxed: boolean;
}

export const VARIANTS: Readonly<Record<'simd' | 'relaxed', Variant>> = {
  simd: { relaxed: false },
  relaxed: { relaxed: true },
};

const multiplyAdd =
  (relaxed: boolean): MultiplyAdd =>
  (a, b, acc) =>
    relaxed ? `(f32x4.relaxed_madd ${a} ${b} ${acc})` : `(f32x4.add (f32x4.mul ${a} ${b}) ${acc})`;

/** Returns the text of a module that contains only one multiply-add. */
export const probeText = ({ relaxed }: Variant): string => `(module (func (result v128)
${multiplyAdd(relaxed)(...(Array(3).fill('(v128.const i32x4 0 0 0 0)') as [string, string, string]))}))`;

/**
 * Returns the module's text. The module imports its memory. Every exported function takes the
 * address of a record of parameters (see `RECORDS`) and the range of rows to compute.
 */
export function moduleText({ relaxed }: Variant): string {
  const madd = multiplyAdd(relaxed);
  return `(module
(import "env" "memory" (memory 1 65536))
${pointwiseText(madd)}
${convText(madd)}
${winogradText(madd)}
${moveText()}
${bilinearText(madd)}
${sumsText()}
)`;
}
