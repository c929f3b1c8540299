import type { PlksrOp } from '../../../graph/plksrOp.ts';
import { packBias, packConvWeights } from '../../../kernels/conv/conv.ts';
import { concatFloats } from '../../../kernels/kernel.ts';
import { pointwiseKernel } from '../../../kernels/maps/pointwise.ts';
import { channelsKernel } from '../../../kernels/maps/rearrange.ts';
import {
  dySampleKernel,
  groupAffineBytes,
  groupAffineKernel,
  partialConvGrid,
  partialConvKernel,
} from '../../../kernels/plksr/plksr.ts';
import type { FusedOpOf } from '../fused.ts';
import { type Emission, type EmitterGroup, exact, optional, writesMap } from './emission.ts';

type Kinds = Exclude<PlksrOp['op'], 'meanOfSquares'>;

/** The emitters for the ops of RealPLKSR and related networks. */
export const plksrEmitters: EmitterGroup<Kinds> = (emission) => ({
  partialConv: (op) => emitPartialConv(emission, op),
  centre: (op) => emitGroupAffine(emission, op, null),
  groupNorm: (op) => emitGroupAffine(emission, op, op),
  repeatChannels: (op) =>
    emission.dispatch({
      ...writesMap(emission, op),
      kernel: channelsKernel(
        { first: 0, times: op.times, count: emission.map(op.writes.y).channels },
        emission.element,
      ),
      reads: { x: emission.read(op.reads.inputs[0]) },
    }),
  dySample: (op) => {
    const [z, o] = op.reads.inputs;
    const { channels } = emission.map(z);
    emission.dispatch({
      ...writesMap(emission, op),
      kernel: dySampleKernel({ ...op, channels }, emission.element),
      reads: { z: emission.read(z), o: emission.read(o) },
    });
  },
});

function emitPartialConv(emission: Emission, op: FusedOpOf<'partialConv'>): void {
  const { channels } = emission.map(op.writes.y);
  const { kernel, count, weight, bias } = op;
  const step = writesMap(emission, op);
  emission.dispatch({
    ...step,
    kernel: partialConvKernel(op, emission.element),
    reads: {
      x: emission.read(op.reads.inputs[0]),
      weights: emission.constant('conv', [weight], emission.element, (w) =>
        packConvWeights(exact(w, weight), count, count, kernel),
      ),
      bias: emission.constant(`bias of ${count}`, [bias], emission.element, (w) =>
        packBias(optional(w, bias), count),
      ),
    },
    grid: ({ width, height }) => partialConvGrid(op, channels, width, height),
    work: op.multiplyAdds + step.work,
  });
}

/**
 * Emits two dispatches. The first computes a factor and a shift for each channel from the op's
 * input vector, and the second applies them to the op's input map.
 */
function emitGroupAffine(
  emission: Emission,
  op: FusedOpOf<'centre' | 'groupNorm'>,
  norm: FusedOpOf<'groupNorm'> | null,
): void {
  const [x, vector] = op.reads.inputs;
  const { channels } = emission.map(x);
  const p = emission.scratch(`${op.name}:factors`, () => groupAffineBytes(channels));
  const v = emission.read(vector);
  emission.dispatch({
    name: `${op.name}:factors`,
    kernel: groupAffineKernel(channels, op.groups, norm?.epsilon ?? null),
    reads: {
      v,
      // Without a norm, the kernel does not read this binding. WebGPU still requires a buffer for
      // it, so `v` is bound.
      norm:
        norm === null
          ? v
          : emission.constant('norm', [norm.weight, norm.bias], 'f32', (w) =>
              concatFloats(
                [norm.weight, norm.bias].map((name) => packBias(exact(w, name), channels)),
              ),
            ),
    },
    writes: { y: p },
    scale: 1,
    grid: () => [1, 1, 1],
    params: () => ({}),
    multiplyAdds: 0,
    work: 0,
  });
  const a = emission.read(x);
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: pointwiseKernel('affine', null, emission.element),
    reads: { a, b: a, p: { resource: p } },
  });
}
