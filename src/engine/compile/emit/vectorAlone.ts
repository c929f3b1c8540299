import { internal } from '../../../errors.ts';
import { blocksOf, type Kernel } from '../../../kernels/kernel.ts';
import {
  linearKernel,
  poolFinishKernel,
  softmaxKernel,
  vectorActivationKernel,
} from '../../../kernels/vector/vectorAlone.ts';
import type { FusedOpOf } from '../fused.ts';
import type { Operand } from '../program.ts';
import { type EmitterGroup, exact, poolParams, poolSums } from './emission.ts';
import { linearWeights } from './vector.ts';

/** Poolings and ops on their vectors that are not fused. */
export const vectorAloneEmitters: EmitterGroup<
  'globalAveragePool' | 'meanOfSquares' | 'linear' | 'softmax' | 'vectorActivation'
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
  const pool = (
    { name, reads, writes }: FusedOpOf<'globalAveragePool' | 'meanOfSquares'>,
    squares: boolean,
  ): void => {
    const [x] = reads.inputs;
    const { channels, scale } = emission.map(x);
    const partials = emission.poolPartial(x, `${name}:partials`, squares);
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
  };
  return {
    globalAveragePool: (op) => pool(op, false),
    meanOfSquares: (op) => pool(op, true),
    linear: (op) => {
      const [x] = op.reads.inputs;
      const { bias } = op;
      const w = linearWeights(emission, op);
      push(op, linearKernel(lengthOf(x), op.lengthOut, bias !== null), {
        x: emission.read(x),
        w,
        // A binding that the kernel does not read still needs a buffer.
        bias: bias === null ? w : emission.constant('linear', [bias], 'f32', (v) => exact(v, bias)),
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
