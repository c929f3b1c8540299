import type { PlksrOp } from '../../../graph/plksrOp.ts';
import { packBias } from '../../../kernels/conv/conv.ts';
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
import { layerBias, layerWeights } from './conv.ts';
import { type Emission, type EmitterGroup, emitMap, exact, writesMap } from './emission.ts';

type Kinds = Exclude<PlksrOp['op'], 'meanOfSquares'>;

/** The emitters for the ops of RealPLKSR and related networks. */
export const plksrEmitters: EmitterGroup<Kinds> = (emission) => ({
  partialConv: (op) => emitPartialConv(emission, op),
  centre: (op) => emitGroupAffine(emission, op, null),
  groupNorm: (op) => emitGroupAffine(emission, op, op),
  repeatChannels: (op) => {
    const range = { first: 0, times: op.times, count: emission.map(op.writes.y).channels };
    emitMap(emission, op, channelsKernel(range, emission.element), {
      x: emission.read(op.reads.inputs[0]),
    });
  },
  dySample: (op) => {
    const [z, o] = op.reads.inputs;
    const { channels } = emission.map(z);
    emitMap(emission, op, dySampleKernel({ ...op, channels }, emission.element), {
      z: emission.read(z),
      o: emission.read(o),
    });
  },
});

function emitPartialConv(emission: Emission, op: FusedOpOf<'partialConv'>): void {
  const { channels } = emission.map(op.writes.y);
  const layer = { ...op, cIn: op.count, cOut: op.count };
  const step = writesMap(emission, op);
  emission.dispatch({
    ...step,
    kernel: partialConvKernel(op, emission.element),
    reads: {
      x: emission.read(op.reads.inputs[0]),
      weights: layerWeights(emission, layer),
      bias: layerBias(emission, layer),
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
              packBias(exact(w, norm.weight), channels, exact(w, norm.bias)),
            ),
    },
    writes: { y: p },
    grid: () => [1, 1, 1],
    params: () => ({}),
  });
  const a = emission.read(x);
  emitMap(emission, op, pointwiseKernel('affine', null, emission.element), {
    a,
    b: a,
    p: { resource: p },
  });
}
