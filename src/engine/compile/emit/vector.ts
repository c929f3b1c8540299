import { blocksOf } from '../../../kernels/kernel.ts';
import { dynamicWeightsKernel } from '../../../kernels/vector/vector.ts';
import {
  linearKernel,
  poolFinishKernel,
  softmaxKernel,
  vectorActivationKernel,
} from '../../../kernels/vector/vectorAlone.ts';
import type { LinearLayer } from '../fused.ts';
import type { Operand, Step } from '../program.ts';
import { type Emission, type EmitterGroup, exact, poolParams, poolSums } from './emission.ts';

/** Poolings and what is computed from their vectors. */
export const vectorEmitters: EmitterGroup<
  'pool' | 'dynamicWeights' | 'linear' | 'softmax' | 'vectorActivation'
> = (emission) => {
  /** A kernel of one workgroup from a vector to a vector. */
  const push = (
    { name, reads, writes }: { name: string; reads: { x: number }; writes: { y: number } },
    kernel: Step['kernel'],
    ...constants: readonly Operand[]
  ): void => {
    emission.steps.push({
      name,
      kernel,
      reads: [emission.read(reads.x), ...constants],
      writes: [emission.write(writes.y)],
      scale: 1,
      grid: () => [1, 1, 1],
      params: () => [],
      multiplyAdds: 0,
      work: 0,
    });
  };
  const lengthOf = (id: number): number => {
    const { shape, name } = emission.graph.nodes[id];
    if (shape.kind !== 'vector') throw new Error(`${name} is not a vector`);
    return shape.length;
  };
  return {
    pool: ({ name, reads, writes }) => {
      const { channels, scale } = emission.map(reads.x);
      const partials = emission.poolPartial(reads.x, `${name}:partials`);
      emission.steps.push({
        name,
        kernel: poolFinishKernel(channels),
        reads: [{ resource: partials }],
        writes: [emission.write(writes.y)],
        scale,
        grid: () => [blocksOf(channels), 1, 1],
        params: poolParams,
        sums: poolSums(channels),
        multiplyAdds: 0,
        work: 0,
      });
    },
    dynamicWeights: ({ name, reads, writes, first, second, temperature }) => {
      const { channels, scale } = emission.map(reads.x);
      const partials = emission.poolPartial(reads.x, `${name}:partials`);
      emission.steps.push({
        name,
        kernel: dynamicWeightsKernel({
          lengthIn: first.lengthIn,
          hidden: first.lengthOut,
          lengthOut: second.lengthOut,
          temperature,
        }),
        reads: [
          { resource: partials },
          linearWeights(emission, first),
          linearWeights(emission, second),
        ],
        writes: [emission.write(writes.y)],
        scale,
        grid: () => [1, 1, 1],
        params: poolParams,
        sums: poolSums(channels),
        multiplyAdds: 0,
        work: 0,
      });
    },
    linear: (op) => push(op, linearKernel(op.lengthIn, op.lengthOut), linearWeights(emission, op)),
    softmax: (op) => push(op, softmaxKernel(lengthOf(op.reads.x), op.temperature)),
    vectorActivation: (op) => push(op, vectorActivationKernel(lengthOf(op.reads.x), op.activation)),
  };
};

const linearWeights = (emission: Emission, { weight }: LinearLayer): Operand =>
  emission.constant('linear', [weight], 'f32', (w) => exact(w, weight));
