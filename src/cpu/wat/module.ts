/**
 * Generates the text of the WebAssembly module. `npm run cpu:module` assembles the module with and
 * without relaxed SIMD. The library contains only the results (in `generated`), not this file.
 */
import { bilinearText } from './bilinear.ts';
import { convText } from './conv.ts';
import { moveText } from './move.ts';
import { pointwiseText } from './pointwise.ts';
import { sumsText } from './sums.ts';
import { type MultiplyAdd, vadd, vmul, ZERO } from './text.ts';
import { winogradText } from './winograd.ts';

/**
 * The multiply-add of each variant of the module. `relaxed_madd` is a relaxed SIMD instruction. It
 * is a fused multiply-add on CPUs that have one.
 */
export const VARIANTS: Readonly<Record<'simd' | 'relaxed', MultiplyAdd>> = {
  simd: (a, b, acc) => vadd(vmul(a, b), acc),
  relaxed: (a, b, acc) => `(f32x4.relaxed_madd ${a} ${b} ${acc})`,
};

/** Returns the text of a module that contains only one multiply-add. */
export const probeText = (madd: MultiplyAdd): string => `(module (func (result v128)
${madd(ZERO, ZERO, ZERO)}))`;

/**
 * Returns the module's text. The module imports its memory. Every exported function takes the
 * address of a record of parameters (see `RECORDS`) and the range of rows to compute.
 */
export const moduleText = (madd: MultiplyAdd): string => `(module
(import "env" "memory" (memory 1 65536))
${pointwiseText(madd)}
${convText(madd)}
${winogradText(madd)}
${moveText()}
${bilinearText(madd)}
${sumsText()}
)`;
