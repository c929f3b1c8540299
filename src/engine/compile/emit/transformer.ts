import { pixelsOf, type Size } from '../../../geometry.ts';
import { mapSize } from '../../../graph/shape.ts';
import type { TransformerOp } from '../../../graph/transformerOp.ts';
import { blocksOf, mapGrid } from '../../../kernels/kernel.ts';
import { pointwiseKernel } from '../../../kernels/maps/pointwise.ts';
import { channelsKernel } from '../../../kernels/maps/rearrange.ts';
import {
  attentionGrid,
  channelAttentionKernel,
  channelChunks,
  channelMixKernel,
  channelSumBlocks,
  channelSumsGrid,
  channelSumsKernel,
  channelWeightsKernel,
  depthwiseKernel,
  groupAttentionKernel,
  groupGrid,
  groupMixKernel,
  groupScoresKernel,
  layerNormKernel,
  maxPoolKernel,
  packDepthwise,
  packNorm,
  resizeKernel,
  scoreBytes,
  shiftKernel,
  stridedConvKernel,
} from '../../../kernels/transformer/transformer.ts';
import type { DepthwiseLayer, FusedOpOf } from '../fused.ts';
import type { Operand } from '../program.ts';
import { layerBias, layerWeights } from './conv.ts';
import {
  type Emission,
  type EmitterGroup,
  emitMap,
  exact,
  mapParams,
  memoryWork,
  writesMap,
} from './emission.ts';

type Kind = Exclude<TransformerOp['op'], 'pixelUnshuffle'> | 'groupAttention';

/** The emitters for the ops of lightweight transformers. */
export const transformerEmitters: EmitterGroup<Kind> = (emission) => {
  const { element } = emission;
  const input = ({ reads }: Emitted) => emission.read(reads.inputs[0]);
  return {
    slice: (op) =>
      emitMap(emission, op, channelsKernel({ ...op, times: 1 }, element), { x: input(op) }),
    shift: (op) => emitMap(emission, op, shiftKernel(op.by, element), { x: input(op) }),
    depthwise: (op) => {
      const cOut = emission.map(op.writes.y).channels;
      emitMap(emission, op, depthwiseKernel(op.kernel, null, element), {
        x: input(op),
        weights: depthwiseTaps(emission, op, cOut, op.kernel),
        bias: layerBias(emission, { ...op, cOut }),
      });
    },
    layerNorm: (op) => emitLayerNorm(emission, op),
    scaleChannels: (op) => {
      const [x, factors] = op.reads.inputs.map((id) => emission.read(id));
      emitMap(emission, op, pointwiseKernel('scale', null, element), { a: x, b: x, p: factors });
    },
    groupScores: (op) => emitScores(emission, op),
    groupMix: (op) => emitMix(emission, op),
    groupAttention: (op) => emitAttention(emission, op),
    channelAttention: (op) => emitChannelAttention(emission, op),
    stridedConv: (op) => emitStridedConv(emission, op),
    maxPool: (op) => emitReduced(emission, op, maxPoolKernel(op.kernel, op.stride, element)),
    resize: (op) => emitReduced(emission, op, resizeKernel(element)),
  };
};

type Emitted = FusedOpOf<Kind>;

/** Registers the weights of a depthwise convolution. */
export const depthwiseTaps = (
  emission: Emission,
  { weight }: DepthwiseLayer,
  channels: number,
  kernel: number,
): Operand =>
  emission.constant('depthwise', [weight], emission.element, (w) =>
    packDepthwise(exact(w, weight), channels, kernel ** 2),
  );

function emitLayerNorm(emission: Emission, op: FusedOpOf<'layerNorm'>): void {
  const { channels } = emission.map(op.writes.y);
  const { weight, bias, epsilon } = op;
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: layerNormKernel(channels, epsilon, emission.element),
    reads: {
      x: emission.read(op.reads.inputs[0]),
      norm: emission.constant('norm', [weight, bias], 'f32', (w) =>
        packNorm(exact(w, weight), exact(w, bias), channels),
      ),
    },
    grid: ({ width, height }) => mapGrid(width, height, 1),
  });
}

/**
 * Returns an attention op's position table. If there is none, returns the operand `other`, because
 * even an unused binding needs a buffer.
 */
export const positions = (emission: Emission, table: string | null, other: Operand): Operand =>
  table === null ? other : emission.plain(table);

function emitScores(emission: Emission, op: FusedOpOf<'groupScores'>): void {
  const { grouping, heads, channels, table } = op;
  const [q, k] = op.reads.inputs.map((id) => emission.read(id));
  const map = emission.map(op.reads.inputs[0]);
  const { scale } = map;
  const scores = emission.scratch(op.name, (size) => scoreBytes(op, mapSize(map, size)));
  emission.dispatch({
    name: op.name,
    kernel: groupScoresKernel({ ...op, table: table !== null }, emission.element),
    reads: { q, k, table: positions(emission, table, q) },
    writes: { scores: emission.assign(op.writes.y, scores) },
    scale,
    grid: ({ width, height }) => groupGrid(grouping, width, height, heads),
    params: mapParams,
    multiplyAdds: op.multiplyAdds,
    work: op.multiplyAdds + memoryWork(channels, scale),
  });
}

function emitMix(emission: Emission, op: FusedOpOf<'groupMix'>): void {
  const [x, scores] = op.reads.inputs.map((id) => emission.read(id));
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: groupMixKernel(op, emission.element),
    reads: { x, scores },
    grid: ({ width, height }) => groupGrid(op.grouping, width, height, blocksOf(op.channels)),
    work: op.multiplyAdds,
  });
}

function emitAttention(emission: Emission, op: FusedOpOf<'groupAttention'>): void {
  const [q, kv] = op.reads.inputs.map((id) => emission.read(id));
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: groupAttentionKernel({ ...op, table: op.table !== null }, emission.element),
    reads: { q, kv, table: positions(emission, op.table, q) },
    grid: ({ width, height }) => attentionGrid(op, width, height),
    work: op.multiplyAdds,
  });
}

function emitChannelAttention(emission: Emission, op: FusedOpOf<'channelAttention'>): void {
  const { grouping, heads, temperature } = op;
  const { channels } = emission.map(op.writes.y);
  const x = emission.read(op.reads.inputs[0]);
  const factors = emission.plain(temperature);
  if (grouping.kind === 'grid' && grouping.side === 1) {
    emitWholeAttention(emission, op, { x, factors });
    return;
  }
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: channelAttentionKernel({ grouping, heads, channels }, false, emission.element),
    reads: { x, temperature: factors, weights: factors, r: x },
    grid: ({ width, height }) => groupGrid(grouping, width, height, heads),
    work: op.multiplyAdds,
  });
}

/**
 * Emits channel attention over the whole map. The attention weights depend on sums over all pixels.
 * A separate step computes these sums, so that all tiles of an image can use the same sums.
 */
function emitWholeAttention(
  emission: Emission,
  op: FusedOpOf<'channelAttention'>,
  { x, factors }: { readonly x: Operand; readonly factors: Operand },
): void {
  const { channels, scale } = emission.map(op.writes.y);
  const spec = { heads: op.heads, channels };
  const blocks = channelSumBlocks(spec);
  const depth = channels / op.heads;
  const params = (size: Size) => {
    const pixels = pixelsOf(size);
    return { pixels, chunks: channelChunks(pixels) };
  };
  const partials = emission.scratch(
    `${op.name}:sums`,
    (size) => channelChunks(pixelsOf(size) * scale ** 2) * blocks * 16,
  );
  const weights = emission.scratch(`${op.name}:weights`, () => channels * depth * 4);
  const half = op.multiplyAdds / 2;
  emission.dispatch({
    name: `${op.name}:sums`,
    kernel: channelSumsKernel(spec, emission.element),
    reads: { x },
    writes: { partials },
    scale,
    grid: (size) => channelSumsGrid(op.heads, pixelsOf(size)),
    params,
    multiplyAdds: half,
  });
  emission.dispatch({
    name: `${op.name}:weights`,
    kernel: channelWeightsKernel(spec),
    reads: { partials: { resource: partials }, temperature: factors },
    writes: { weights },
    scale,
    grid: () => [op.heads, 1, 1],
    params,
    sums: { operand: 'partials', blocks, count: 'chunks', pixels: 'pixels' },
  });
  emission.dispatch({
    ...writesMap(emission, op),
    kernel: channelMixKernel(spec, emission.element),
    reads: { x, weights: { resource: weights } },
    multiplyAdds: half,
    work: half,
  });
}

function emitStridedConv(emission: Emission, op: FusedOpOf<'stridedConv'>): void {
  const { kernel, stride } = op;
  const cIn = emission.map(op.reads.inputs[0]).channels;
  emission.dispatch({
    ...writesMap(emission, op),
    ...betweenSizes(emission, op),
    kernel: stridedConvKernel({ kernel, stride, cIn }, emission.element),
    reads: {
      x: emission.read(op.reads.inputs[0]),
      weights: layerWeights(emission, { ...op, cIn }),
      bias: layerBias(emission, op),
    },
    work: op.multiplyAdds,
  });
}

function emitReduced(
  emission: Emission,
  op: Emitted,
  kernel: ReturnType<typeof maxPoolKernel>,
): void {
  emission.dispatch({
    ...writesMap(emission, op),
    ...betweenSizes(emission, op),
    kernel,
    reads: { x: emission.read(op.reads.inputs[0]) },
  });
}

/** Returns the grid and the parameters of a step whose input and output differ in size. */
function betweenSizes(emission: Emission, { reads, writes }: Emitted) {
  const [from, to] = [reads.inputs[0], writes.y].map((id) => emission.reducedSize(id));
  return {
    // With an empty list, `grid` and `params` receive the tile's own size. From this size, they
    // compute the sizes of the step's input and output.
    reduced: [],
    grid: (size: Size) => {
      const { width, height } = to(size);
      return mapGrid(width, height, blocksOf(emission.map(writes.y).channels));
    },
    params: (size: Size) => {
      const [x, y] = [from(size), to(size)];
      return { ...y, in_width: x.width, in_height: x.height };
    },
  };
}
