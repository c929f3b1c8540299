import { pixelsOf, type Size } from '../../../geometry.ts';
import { vectorOf } from '../../../graph/shape.ts';
import { blocksOf, type Kernel } from '../../../kernels/kernel.ts';
import { poolPartialBytes, poolPartialGrid } from '../../../kernels/vector/pool.ts';
import {
  linearKernel,
  poolFinishKernel,
  poolInnerKernel,
  softmaxKernel,
  vectorActivationKernel,
} from '../../../kernels/vector/vectorAlone.ts';
import type { FusedOpOf } from '../fused.ts';
import type { Operand } from '../program.ts';
import { type EmitterGroup, memoryWork, poolParams, poolSums } from './emission.ts';

/**
 * The numbers of rows and columns to leave out of a mean. `first` counts those at the top and left,
 * and `last` counts those at the bottom and right.
 */
type Inset = readonly [first: number, last: number];

/**
 * Returns the size of a map without its first and last rows and columns. The size is at least
 * 1 x 1, because a mean needs at least one pixel. If a small tile has no pixels left, that does no
 * harm: all tiles of an image use the same means instead of their own.
 */
const innerOf = ({ width, height }: Size, [first, last]: Inset): Size => ({
  width: Math.max(1, width - first - last),
  height: Math.max(1, height - first - last),
});

/**
 * The emitters for pooling ops and vector ops that are not fused with other ops. The input of a
 * vector op is, for example, the vector of means from a pooling op.
 */
export const vectorAloneEmitters: EmitterGroup<
  'globalAveragePool' | 'meanOfSquares' | 'linear' | 'softmax' | 'vectorActivation'
> = (emission) => {
  /** Appends a step whose single workgroup computes a vector. */
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
      grid: () => [1, 1, 1],
      params: () => ({}),
    });
  const lengthOf = (id: number): number =>
    vectorOf(emission.graph.nodes[id].shape, emission.name(id)).length;
  /**
   * Appends the first stage of a pooling op with an inset: partial sums over a map without its
   * first and last rows and columns.
   */
  const poolInner = (x: number, name: string, inset: Inset): number => {
    const { channels, scale } = emission.map(x);
    const partials = emission.scratch(name, ({ width, height }) => {
      const inner = innerOf({ width: width * scale, height: height * scale }, inset);
      return poolPartialBytes(channels, pixelsOf(inner));
    });
    emission.dispatch({
      name,
      kernel: poolInnerKernel(channels, inset[0], emission.element),
      reads: { x: emission.read(x) },
      writes: { partials },
      scale,
      grid: (size) => poolPartialGrid(channels, pixelsOf(innerOf(size, inset))),
      params: (size) => {
        const inner = innerOf(size, inset);
        const words = { inner_width: inner.width, width: size.width, plane: pixelsOf(size) };
        return { ...poolParams(inner), ...words };
      },
      work: memoryWork(channels, scale),
    });
    return partials;
  };
  const pool = (
    { name, reads, writes }: FusedOpOf<'globalAveragePool' | 'meanOfSquares'>,
    squares: boolean,
    inset?: Inset,
  ): void => {
    const [x] = reads.inputs;
    const { channels, scale } = emission.map(x);
    const partials = inset
      ? poolInner(x, `${name}:partials`, inset)
      : emission.poolPartial(x, `${name}:partials`, squares);
    emission.dispatch({
      name,
      kernel: poolFinishKernel(channels),
      reads: { partials: { resource: partials } },
      writes: { mean: emission.write(writes.y) },
      scale,
      grid: () => [blocksOf(channels), 1, 1],
      params: (size) => poolParams(inset ? innerOf(size, inset) : size),
      sums: poolSums(channels),
    });
  };
  return {
    globalAveragePool: (op) => pool(op, false, op.inset),
    meanOfSquares: (op) => pool(op, true),
    linear: (op) => {
      const [x] = op.reads.inputs;
      const { bias } = op;
      const w = emission.plain(op.weight);
      push(op, linearKernel(lengthOf(x), op.lengthOut, bias !== null), {
        x: emission.read(x),
        w,
        // Without a bias, the kernel does not read this binding. WebGPU still requires a buffer for
        // it, so `w` is bound.
        bias: bias === null ? w : emission.plain(bias),
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
