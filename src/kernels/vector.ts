import type { Activation } from '../graph/graph.ts';
import dynamicWeightsSource from '../shaders/dynamicWeights.wgsl?raw';
import epilogueSource from '../shaders/lib/epilogue.wgsl?raw';
import poolFinishLibrary from '../shaders/lib/poolFinish.wgsl?raw';
import linearSource from '../shaders/linear.wgsl?raw';
import softmaxSource from '../shaders/softmax.wgsl?raw';
import vectorActivationSource from '../shaders/vectorActivation.wgsl?raw';
import { activationConstants } from './activation.ts';
import { assemble, blocksOf, type Kernel } from './kernel.ts';

// Vectors are statistics of a whole image: tens of f32, whatever the element type of the maps.
// Every kernel here is a single workgroup, grid [1, 1, 1].

/** Bindings: x [lengthIn], w [lengthOut][lengthIn], y. */
export function linearKernel(lengthIn: number, lengthOut: number): Kernel {
  return {
    label: `linear ${lengthIn}->${lengthOut}`,
    code: assemble(
      'f32',
      { LENGTH_IN: lengthIn, LENGTH_OUT: lengthOut, ...activationConstants(0, null) },
      epilogueSource,
      linearSource,
    ),
    bindings: ['read', 'read', 'write'],
  };
}

/** Bindings: x, y. */
export function vectorActivationKernel(length: number, activation: Activation): Kernel {
  return {
    label: `vector ${activation.fn}`,
    code: assemble(
      'f32',
      { BLOCKS: blocksOf(length), ...activationConstants(0, activation) },
      epilogueSource,
      vectorActivationSource,
    ),
    bindings: ['read', 'write'],
  };
}

/** Bindings: x, y. */
export function softmaxKernel(length: number, temperature: number): Kernel {
  return {
    label: `softmax ${length}`,
    code: assemble('f32', { LENGTH: length, TEMPERATURE: { f32: temperature } }, softmaxSource),
    bindings: ['read', 'write'],
  };
}

export interface DynamicWeightsSpec {
  readonly lengthIn: number;
  readonly hidden: number;
  readonly lengthOut: number;
  readonly temperature: number;
}

/**
 * The dynamic attention module in one dispatch, from the partial sums of the pooling on.
 * Bindings: partials, w1 [hidden][lengthIn], w2 [lengthOut][hidden], p. Uniform: pixels, chunks.
 */
export function dynamicWeightsKernel(spec: DynamicWeightsSpec): Kernel {
  return {
    label: `dynamic weights ${spec.lengthIn}->${spec.hidden}->${spec.lengthOut}`,
    code: assemble(
      'f32',
      {
        BLOCKS: blocksOf(spec.lengthIn),
        LENGTH_IN: spec.lengthIn,
        HIDDEN: spec.hidden,
        LENGTH_OUT: spec.lengthOut,
        TEMPERATURE: { f32: spec.temperature },
      },
      poolFinishLibrary,
      dynamicWeightsSource,
    ),
    bindings: ['read', 'read', 'read', 'write'],
  };
}
