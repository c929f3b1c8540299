import dynamicWeightsSource from '../../shaders/vector/dynamicWeights.wgsl?raw';
import { assemble, blocksOf, contract } from '../kernel.ts';

const SHADERS = {
  'vector/dynamicWeights': dynamicWeightsSource,
};

export interface DynamicWeightsSpec {
  readonly lengthIn: number;
  readonly hidden: number;
  readonly lengthOut: number;
  readonly temperature: number;
}

/**
 * Computes the dynamic attention module (arXiv 2104.09497) in one dispatch, from the partial sums
 * of global average pooling. The bindings are `partials`, `w1` [hidden][lengthIn], `w2`
 * [lengthOut][hidden] and `p`. The uniform's fields are `pixels` and `chunks`.
 */
export function dynamicWeightsKernel(spec: DynamicWeightsSpec) {
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
      'vector/dynamicWeights',
      SHADERS,
    ),
    ...contract(['partials', 'w1', 'w2'], ['p'], { pixels: 'u32', chunks: 'u32' }),
  };
}
