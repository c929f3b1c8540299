import type { Activation } from '../../graph/graph.ts';
import activationSource from '../../shaders/lib/activation.wgsl?raw';
import nanSource from '../../shaders/lib/nan.wgsl?raw';
import poolFinishLibrary from '../../shaders/vector/finishMean.wgsl?raw';
import linearSource from '../../shaders/vector/linear.wgsl?raw';
import poolFinishSource from '../../shaders/vector/poolFinish.wgsl?raw';
import softmaxSource from '../../shaders/vector/softmax.wgsl?raw';
import vectorActivationSource from '../../shaders/vector/vectorActivation.wgsl?raw';
import { activationConstants } from '../activation.ts';
import { assemble, blocksOf, contract } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';

const SHADERS: Sources = {
  'lib/nan': nanSource,
  'lib/activation': activationSource,
  'vector/finishMean': poolFinishLibrary,
  'vector/linear': linearSource,
  'vector/poolFinish': poolFinishSource,
  'vector/softmax': softmaxSource,
  'vector/vectorActivation': vectorActivationSource,
};

// Vectors are statistics of a whole image: tens of f32 values, whatever the element type of the
// maps. Each op has a kernel here for graphs that the fused module (vector.ts) does not cover. All
// kernels except the first are a single workgroup, grid [1, 1, 1].

const FINISH = contract(['partials'], ['mean'], { pixels: 'u32', chunks: 'u32' });
const LINEAR = contract(['x', 'w', 'bias'], ['y']);
const VECTOR = contract(['x'], ['y']);

/** Bindings: partials, mean. Uniform: pixels, chunks. Grid: [blocks, 1, 1]. */
export function poolFinishKernel(channels: number) {
  return {
    label: 'pool finish',
    code: assemble('f32', { BLOCKS: blocksOf(channels) }, 'vector/poolFinish', SHADERS),
    ...FINISH,
  };
}

/** Bindings: x [lengthIn], w [lengthOut][lengthIn], bias [lengthOut] (not read without `bias`), y. */
export function linearKernel(lengthIn: number, lengthOut: number, bias = false) {
  return {
    label: `linear ${lengthIn}->${lengthOut}`,
    code: assemble(
      'f32',
      { LENGTH_IN: lengthIn, LENGTH_OUT: lengthOut, BIAS: bias, ...activationConstants(0, null) },
      'vector/linear',
      SHADERS,
    ),
    ...LINEAR,
  };
}

/** Bindings: x, y. */
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

/** Bindings: x, y. */
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
