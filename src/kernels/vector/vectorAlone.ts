import type { Activation } from '../../graph/graph.ts';
import linearSource from '../../shaders/vector/linear.wgsl?raw';
import poolFinishSource from '../../shaders/vector/poolFinish.wgsl?raw';
import poolInnerSource from '../../shaders/vector/poolInner.wgsl?raw';
import softmaxSource from '../../shaders/vector/softmax.wgsl?raw';
import vectorActivationSource from '../../shaders/vector/vectorActivation.wgsl?raw';
import { activationConstants } from '../activation.ts';
import { assemble, blocksOf, contract, type ElementType } from '../kernel.ts';
import { POOL_CHUNK } from './pool.ts';

const SHADERS = {
  'vector/linear': linearSource,
  'vector/poolFinish': poolFinishSource,
  'vector/poolInner': poolInnerSource,
  'vector/softmax': softmaxSource,
  'vector/vectorActivation': vectorActivationSource,
};

// A vector contains values for a whole image, such as the mean of each channel. Vectors are short,
// and their values are f32 regardless of the maps' element type. For graphs that the fused kernel
// (vector.ts) does not cover, this module has a separate kernel for each op. All kernels except the
// pooling kernels use a single workgroup, with the grid [1, 1, 1].

const INNER = contract(['x'], ['partials'], {
  pixels: 'u32',
  chunks: 'u32',
  group_row: 'u32',
  inner_width: 'u32',
  width: 'u32',
  plane: 'u32',
});
const VECTOR = contract(['x'], ['y']);

/**
 * The second stage of average pooling. The bindings are `partials` and `mean`. The uniform's fields
 * are `pixels` and `chunks`. The grid is [blocksOf(channels), 1, 1].
 */
export function poolFinishKernel(channels: number) {
  return {
    label: 'pool finish',
    code: assemble('f32', { BLOCKS: blocksOf(channels) }, 'vector/poolFinish', SHADERS),
    ...contract(['partials'], ['mean'], { pixels: 'u32', chunks: 'u32' }),
  };
}

/**
 * The first stage of average pooling over a rectangle of a map. `first` is the rectangle's first
 * row, and also its first column. The bindings are `x` and `partials`. The uniform's fields are
 * `pixels`, `chunks`, `group_row`, `inner_width`, `width` and `plane`. `pixels` and `inner_width`
 * describe the rectangle. `width` and `plane` describe the map. `poolPartialGrid` (pool.ts) returns
 * the grid for the rectangle's number of pixels.
 */
export const poolInnerKernel = (channels: number, first: number, element: ElementType = 'f32') => ({
  label: 'pool inner',
  code: assemble(
    element,
    { BLOCKS: blocksOf(channels), CHUNK: POOL_CHUNK, FIRST: first },
    'vector/poolInner',
    SHADERS,
  ),
  ...INNER,
});

/**
 * The bindings are `x` [lengthIn], `w` [lengthOut][lengthIn], `bias` [lengthOut] (ignored unless
 * the argument `bias` is true) and `y`.
 */
export function linearKernel(lengthIn: number, lengthOut: number, bias = false) {
  return {
    label: `linear ${lengthIn}->${lengthOut}`,
    code: assemble(
      'f32',
      { LENGTH_IN: lengthIn, LENGTH_OUT: lengthOut, BIAS: bias },
      'vector/linear',
      SHADERS,
    ),
    ...contract(['x', 'w', 'bias'], ['y']),
  };
}

/** The bindings are `x` and `y`. */
export function vectorActivationKernel(length: number, activation: Activation) {
  return {
    label: `vector ${activation.fn}`,
    code: assemble(
      'f32',
      { BLOCKS: blocksOf(length), ...activationConstants(0, activation) },
      'vector/vectorActivation',
      SHADERS,
    ),
    ...VECTOR,
  };
}

/** The bindings are `x` and `y`. */
export function softmaxKernel(length: number, temperature: number) {
  return {
    label: `softmax ${length}`,
    code: assemble(
      'f32',
      { LENGTH: length, TEMPERATURE: { f32: temperature } },
      'vector/softmax',
      SHADERS,
    ),
    ...VECTOR,
  };
}
