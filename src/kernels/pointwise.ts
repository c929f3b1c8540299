import type { Activation } from '../graph/graph.ts';
import epilogueSource from '../shaders/lib/epilogue.wgsl?raw';
import pointwiseSource from '../shaders/pointwise.wgsl?raw';
import { activationConstants } from './activation.ts';
import { assemble, type ElementType, type Kernel } from './kernel.ts';

export type PointwiseOp = 'copy' | 'mul' | 'add' | 'mix';

const OPS: Readonly<Record<PointwiseOp, number>> = { copy: 0, mul: 1, add: 2, mix: 3 };

/** Bindings: a, b, p (two f32, for `mix`), y. Grid: `mapGrid(width, height, blocks)`. */
export function pointwiseKernel(
  op: PointwiseOp,
  activation: Activation | null,
  element: ElementType = 'f32',
): Kernel {
  return {
    label: activation ? `${op} ${activation.fn}` : op,
    code: assemble(
      element,
      { OP: OPS[op], ...activationConstants(0, activation) },
      epilogueSource,
      pointwiseSource,
    ),
    bindings: ['read', 'read', 'read', 'write'],
  };
}
