import { type ConvVariant, shapedVariant } from './conv.ts';

/** How a wide convolution is divided. */
export interface WideCut {
  /** Neighbouring pixels, and blocks of output channels, per invocation. */
  readonly pixels: number;
  readonly blocks: number;
  /** Whether a workgroup copies weights to workgroup memory: blocks * 9 matrices at most. */
  readonly shared: boolean;
}

/**
 * Convolutions with more than one block per invocation. Weights are packed as for the plain
 * variant.
 */
export const wideConv = ({ pixels, blocks, shared }: WideCut): ConvVariant =>
  shapedVariant(` of ${pixels} x ${blocks}${shared ? ' shared' : ''}`, () => ({
    columns: pixels,
    rows: 1,
    blocks,
    workgroup: [8, 8],
    ...(shared ? { weights: 'workgroup' } : {}),
  }));
