import type { Activation } from '../../graph/graph.ts';
import pointwiseSource from '../../shaders/maps/pointwise.wgsl?raw';
import { activationConstants } from '../activation.ts';
import { assemble, blocksOf, contract, type ElementType, MAP_WORDS } from '../kernel.ts';

/** The operations in the order of their numbers in the shader. */
const OPS = ['copy', 'mul', 'add', 'mix', 'prelu', 'affine', 'scale'] as const;
export type PointwiseOp = (typeof OPS)[number];

/**
 * The bindings are `a`, `b`, `p` and `y`. `p` contains f32 values: two weights for `mix`, one slope
 * per channel for `prelu`, one factor per channel for `scale`, or a factor and a shift per channel
 * for `affine`. The values per channel are padded to whole blocks of four channels. The grid is
 * `mapGrid(width, height, blocks)`. Only `add` uses `factor`, which multiplies `b`.
 */
export function pointwiseKernel(
  op: PointwiseOp,
  activation: Activation | null,
  element: ElementType = 'f32',
  factor = 1,
) {
  return {
    label: activation ? `${op} ${activation.fn}` : op,
    code: assemble(
      element,
      { OP: OPS.indexOf(op), FACTOR: { f32: factor }, ...activationConstants(0, activation) },
      'maps/pointwise',
      { 'maps/pointwise': pointwiseSource },
    ),
    ...contract(['a', 'b', 'p'], ['y'], MAP_WORDS),
  };
}

/**
 * Packs the operand `p` of `affine`, which contains each channel's factor and shift. Both are zero
 * for the channels that pad the last block.
 */
export function packAffine(
  scale: readonly number[],
  shift: readonly number[],
): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(blocksOf(scale.length) * 8);
  for (let c = 0; c < scale.length; c++) packed.set([scale[c], shift[c]], 2 * c);
  return packed;
}
