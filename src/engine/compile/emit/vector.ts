import { pixelsOf } from '../../../geometry.ts';
import { dynamicWeightsKernel } from '../../../kernels/vector/vector.ts';
import { type EmitterGroup, poolSums } from './emission.ts';

/** The emitter for the op `dynamicWeights`, which is a whole dynamic attention module. */
export const vectorEmitters: EmitterGroup<'dynamicWeights'> = (emission) => ({
  dynamicWeights: ({ name, reads, writes, first, second, temperature }) => {
    const { channels, scale } = emission.map(reads.x);
    const { partials, count } = emission.sumsOf(reads.x, `${name}:partials`);
    emission.dispatch({
      name,
      kernel: dynamicWeightsKernel({
        lengthIn: first.lengthIn,
        hidden: first.lengthOut,
        lengthOut: second.lengthOut,
        temperature,
      }),
      reads: {
        partials: { resource: partials },
        w1: emission.plain(first.weight),
        w2: emission.plain(second.weight),
      },
      writes: { p: emission.write(writes.y) },
      scale,
      grid: () => [1, 1, 1],
      params: (size) => ({ pixels: pixelsOf(size), chunks: count(size) }),
      sums: poolSums(channels),
    });
  },
});
