/**
 * Writes the text of the WebAssembly module. `npm run cpu:module` assembles it in both variants; the
 * library holds the result (`module.generated.ts`), never this file.
 */
import { bilinearText } from './bilinear.ts';
import { type ConvTile, convText } from './conv.ts';
import { moveText } from './move.ts';
import { pointwiseText } from './pointwise.ts';
import { sumsText } from './sums.ts';
import type { MultiplyAdd } from './text.ts';

export interface Variant {
  /** Whether products and sums are fused where the processor can (relaxed SIMD). */
  readonly relaxed: boolean;
  /** Pixels that a convolution computes at once, for eight and for four output channels. */
  readonly tiles: { readonly 8: number; readonly 4: number };
}

/**
 * Sums of a tile stay in registers: 4 pixels x 8 channels leave room for weights and products in the
 * 16 that x64 has. A fused multiply-add needs no product, so six pixels fit.
 */
export const VARIANTS: Readonly<Record<'simd' | 'relaxed', Variant>> = {
  simd: { relaxed: false, tiles: { 8: 4, 4: 8 } },
  relaxed: { relaxed: true, tiles: { 8: 6, 4: 10 } },
};

const multiplyAdd =
  (relaxed: boolean): MultiplyAdd =>
  (a, b, acc) =>
    relaxed ? `(f32x4.relaxed_madd ${a} ${b} ${acc})` : `(f32x4.add (f32x4.mul ${a} ${b}) ${acc})`;

/** The module as text. Its memory is imported; every function takes a record and rows from..to. */
export function moduleText({ relaxed, tiles }: Variant): string {
  const madd = multiplyAdd(relaxed);
  const conv: ConvTile[] = [
    { pixels: tiles[8], channels: 8 },
    { pixels: tiles[4], channels: 4 },
    { pixels: 1, channels: 8 },
    { pixels: 1, channels: 4 },
  ];
  return `(module
(import "env" "memory" (memory 1 65536))
${pointwiseText(madd)}
${convText(conv, madd)}
${moveText()}
${bilinearText(madd)}
${sumsText()}
)`;
}
