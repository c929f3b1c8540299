import {
  attentionGateKernel,
  attentionGroups,
  attentionMixKernel,
  packAttentionGate,
  packAttentionMix,
  statGroups,
} from '../../../kernels/attention/attentionBlock.ts';
import { plainShape, shapeGrid } from '../../../kernels/conv/conv.ts';
import {
  convGateKernel,
  convPackKernel,
  packConvGate,
  packGateBias,
} from '../../../kernels/conv/convFused.ts';
import { blocksOf, tileColumnGrid } from '../../../kernels/kernel.ts';
import type { FusedOpOf, ValueId } from '../fused.ts';
import { layerBias, layerWeights, shapeFor } from './conv.ts';
import {
  type Emission,
  type EmitterGroup,
  exact,
  mapParams,
  memoryWork,
  optional,
  type PartialSums,
} from './emission.ts';

// This module also exports the fusion pass, so one lazy import loads the pass and the emitters.
export { fuseBlocks } from '../blocks.ts';

/**
 * The emitters for the ops that exist only at the fusion level `blocks`. Two of these ops compute
 * the halves of an attention-in-attention block. The third computes pixel attention, and the fourth
 * computes the end of a network: its last convolution plus the enlarged input.
 */
export const blockEmitters: EmitterGroup<
  'attentionGate' | 'attentionMix' | 'gatedConv' | 'skipPack'
> = (emission) => ({
  attentionGate: (op) => emitGate(emission, op),
  attentionMix: (op) => emitMix(emission, op),
  gatedConv: (op) => emitGatedConv(emission, op),
  skipPack: (op) => emitSkipPack(emission, op),
});

function emitGate(emission: Emission, op: FusedOpOf<'attentionGate'>): void {
  const { features, slope, k1, k2, k3, multiplyAdds, name } = op;
  const { t } = op.reads;
  const { gated } = op.writes;
  const { scale } = emission.map(gated);
  const tileColumns = emission.tileColumns(features);
  const spec = { features, slope, tileColumns };
  // If the previous block computed `t`, it also computed the sums of `t`. Otherwise, a separate
  // pooling step computes them.
  const sums = sumsOfBlock(emission, t);
  const stats = emission.scratch(
    `${name}:stats`,
    ({ width, height }) =>
      statGroups(tileColumns, width * scale, height * scale) * blocksOf(features) * 16,
  );
  // The kernel combines the partial sums of `t` into fewer sums, which it writes to `stats`. The
  // second half of the block reads these sums.
  emission.summed(t, {
    partials: stats,
    count: ({ width, height }) => statGroups(tileColumns, width, height),
  });
  const weights = [k1.weight, k2.weight, k3.weight];
  emission.dispatch({
    name,
    kernel: attentionGateKernel(spec, emission.element),
    reads: {
      t: emission.read(t),
      weights: emission.constant('attention gate', weights, emission.element, (w) =>
        packAttentionGate(spec, {
          k1: exact(w, k1.weight),
          k2: exact(w, k2.weight),
          k3: exact(w, k3.weight),
        }),
      ),
      bias: layerBias(emission, k2),
      partials: { resource: sums.partials },
    },
    writes: { gated: emission.write(gated), stats },
    scale,
    grid: ({ width, height }) => tileColumnGrid(tileColumns, width, height),
    params: (size) => ({
      width: size.width,
      height: size.height,
      chunks: sums.count(size),
      stat_groups: statGroups(tileColumns, size.width, size.height),
    }),
    multiplyAdds,
    work: multiplyAdds + memoryWork(2 * features, scale),
  });
}

function emitMix(emission: Emission, op: FusedOpOf<'attentionMix'>): void {
  const { name, features, slope, temperature, k4, non, last, first, w1, w2 } = op;
  const { multiplyAdds } = op;
  const { gated, t, x } = op.reads;
  const { out, nextT } = op.writes;
  const { scale } = emission.map(out);
  const tileColumns = emission.tileColumns(features);
  const spec = {
    features,
    slope,
    tileColumns,
    temperature,
    hidden: w1.lengthOut,
    nonKernel: non.kernel,
  };
  const weights = [k4, non, last, w1, w2, ...(first ? [first] : [])].map(({ weight }) => weight);
  const reads = {
    gated: emission.read(gated),
    t: emission.read(t),
    x: emission.read(x),
    weights: emission.constant('attention mix', weights, emission.element, (w) =>
      packAttentionMix(spec, {
        k4: exact(w, k4.weight),
        non: exact(w, non.weight),
        last: exact(w, last.weight),
        first: first && exact(w, first.weight),
        w1: exact(w, w1.weight),
        w2: exact(w, w2.weight),
      }),
    ),
    stats: { resource: sumsOfBlock(emission, t).partials },
  };
  // If the op does not compute `nextT`, the kernel does not write its last two outputs, but both
  // still need buffers.
  const next = nextT === null ? emission.scratch(`${name}:no t`, () => 16) : emission.write(nextT);
  const partials = emission.scratch(`${name}:partials`, ({ width, height }) =>
    nextT === null
      ? 16
      : attentionGroups(tileColumns, width * scale, height * scale) * blocksOf(features) * 16,
  );
  if (nextT !== null) {
    emission.summed(nextT, {
      partials,
      count: ({ width, height }) => attentionGroups(tileColumns, width, height),
    });
  }
  emission.dispatch({
    name,
    kernel: attentionMixKernel(spec, emission.element),
    reads,
    writes: { out: emission.write(out), next_t: next, partials },
    scale,
    grid: ({ width, height }) => tileColumnGrid(tileColumns, width, height),
    params: ({ width, height }) => ({
      width,
      height,
      stat_groups: statGroups(tileColumns, width, height),
      has_next: nextT === null ? 0 : 1,
      pixels: width * height,
    }),
    sums: {
      operand: 'stats',
      blocks: blocksOf(features),
      count: 'stat_groups',
      pixels: 'pixels',
    },
    multiplyAdds,
    work: multiplyAdds + memoryWork(5 * features, scale),
  });
}

/** Returns the sums of a block's first map, `t`. */
const sumsOfBlock = (emission: Emission, t: ValueId): PartialSums =>
  emission.sumsOf(t, `${emission.name(t)}:partials`);

function emitGatedConv(emission: Emission, op: FusedOpOf<'gatedConv'>): void {
  const { conv, gate, upsample, activation, multiplyAdds } = op;
  const { cIn, cOut } = conv;
  const { element } = emission;
  const { scale } = emission.map(op.writes.y);
  const tileColumns = emission.tileColumns(cOut);
  const spec = { cIn, cOut, upsample, act1: activation, tileColumns };
  emission.dispatch({
    name: op.name,
    kernel: convGateKernel(spec, element),
    reads: {
      x: emission.read(op.reads.x),
      weights: emission.constant('gated conv', [conv.weight, gate.weight], element, (w) =>
        packConvGate(spec, exact(w, conv.weight), exact(w, gate.weight)),
      ),
      bias: emission.constant(`biases of ${cOut}`, [conv.bias, gate.bias], element, (w) =>
        packGateBias(spec, optional(w, conv.bias), optional(w, gate.bias)),
      ),
    },
    writes: { y: emission.write(op.writes.y) },
    scale,
    grid: ({ width, height }) => tileColumnGrid(tileColumns, width, height),
    params: mapParams,
    multiplyAdds,
    work: multiplyAdds + memoryWork(cIn / upsample ** 2 + cOut, scale),
  });
}

function emitSkipPack(emission: Emission, op: FusedOpOf<'skipPack'>): void {
  const { conv, scale, reads, multiplyAdds } = op;
  const { range } = emission.format(emission.graph.output);
  const { packed, status } = emission.image();
  const { cIn, cOut, kernel } = conv;
  const plain = { act0: null, act1: null, multiply: false, add: false, factor: 1, upsample: 1 };
  const own = shapeFor(emission, { kernel, cIn, cOut, ...plain }, plainShape(3));
  emission.dispatch({
    name: `${op.name}:packed`,
    kernel: convPackKernel({ cIn, scale, range }, emission.element, own.shape),
    reads: {
      x: emission.read(reads.x),
      weights: layerWeights(emission, conv, own),
      bias: layerBias(emission, conv),
      lr: emission.read(reads.skip),
    },
    writes: { image: packed, status },
    scale,
    grid: (_, { core }) => shapeGrid(own.shape, 3, core.width * scale, core.height * scale),
    params: (size, { core, source, mark = 1 }) => ({
      width: core.width * scale,
      height: core.height * scale,
      map_width: size.width,
      map_height: size.height,
      col0: (core.x - source.x) * scale,
      row0: (core.y - source.y) * scale,
      mark,
    }),
    multiplyAdds,
    work: multiplyAdds + memoryWork(conv.cIn + 4, scale),
  });
}
