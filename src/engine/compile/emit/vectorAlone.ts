import { internal } from '../../../errors.ts';
import { blocksOf, type Kernel } from '../../../kernels/kernel.ts';
import {
  linearKernel,
  poolFinishKernel,
  softmaxKernel,
  vectorActivationKernel,
} from '../../../kernels/vector/vectorAlone.ts';
import type { Operand } from '../program.ts';
import { type EmitterGroup, poolParams, poolSums } from './emission.ts';
import { linearWeights } from './vector.ts';

/** Poolings and ops on their vectors that are not fused. */
export const vectorAloneEmitters: EmitterGroup<
  'globalAveragePool' | 'linear' | 'softmax' | 'vectorActivation'
> = (emission) => {
  /** A kernel of one workgroup that writes a vector. */
  const push = <R extends string>(
    { name, writes }: { name: string; writes: { y: number } },
    kernel: Kernel<R, 'y', never>,
    reads: Readonly<Record<NoInfer<R>, Operand>>,
  ): void =>
    emission.dispatch({
      name,
      kernel,
      reads,
      writes: { y: emission.write(writes.y) },
      scale: 1,
      grid: () => [1, 1, 1],
      params: () => ({}),
      multiplyAdds: 0,
      work: 0,
    });
  const lengthOf = (id: number): number => {
    const { shape, name } = emission.graph.nodes[id];
    if (shape.kind !== 'vector') throw internal(`${name} is not a vector`);
    return shape.length;
  };
  return {
    globalAveragePool: ({ name, reads, writes }) => {
      const [x] = reads.inputs;
      const { channels, scale } = emission.map(x);
      const partials = emission.poolPartial(x, `${name}:partials`);
      emission.dispatch({
        name,
        kernel: poolFinishKernel(channels),
        reads: { partials: { resource: partials } },
        writes: { mean: emission.write(writes.y) },
        scale,
        grid: () => [blocksOf(channels), 1, 1],
        params: poolParams,
        sums: poolSums(channels),
        multiplyAdds: 0,
        work: 0,
      });
    },
    linear: (op) => {
      const [x] = op.reads.inputs;
      push(op, linearKernel(lengthOf(x), op.lengthOut), {
        x: emission.read(x),
        w: linearWeights(emission, op),
      });
    },
    softmax: (op) => {
      const [x] = op.reads.inputs;
      push(op, softmaxKernel(lengthOf(x), op.temperature), { x: emission.read(x) });
    },
    vectorActivation: (op) =>
      push(op, vectorActivationKernel(lengthOf(op.reads.x), op.activation), {
        x: emission.read(op.reads.x),
      }),
  };
};
