import type {
  FusedGraph,
  FusedOp,
  FusedOpOf,
  GroupAttentionOp,
  LoneOp,
  ValueId,
} from '../engine/compile/fused.ts';
import { internal } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { mapOf } from '../graph/shape.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../kernels/vector/vector.reference.ts';
import type { Constants } from './constants.ts';
import { emitConv } from './conv.ts';
import { channelsOf, lengthOf, padded } from './layout.ts';
import { clearPadding, emitConcat, emitUnshuffle, move } from './moves.ts';
import { emitPointwise, pointwiseOf } from './pointwise.ts';
import { type Emission, type HostTask, meansOf, type RowSums } from './tasks.ts';

/** Ops of other fusion levels, and the pixel conversions that the host does. */
type Elsewhere = 'unpack' | 'pack' | 'attentionGate' | 'attentionMix' | 'gatedConv' | 'skipPack';

/** Ops that the oracle's loops can run: those of the graph that stand alone, and attention. */
export type SlowOp = LoneOp | GroupAttentionOp;

/** Null: the oracle's loops run it. */
type Entry<K extends FusedOp['op']> = Emitter<K> | (K extends SlowOp['op'] ? null : never);

type Emitter<K extends FusedOp['op']> = (
  op: FusedOpOf<K>,
  constants: Constants,
  graph: Graph,
) => Omit<Emission, 'op'>;

const EMITTERS: { readonly [K in Exclude<FusedOp['op'], Elsewhere>]: Entry<K> } = {
  conv: emitConv,
  pointwise: emitPointwise,
  prelu: ({ reads, writes, weight }, constants, graph) =>
    pointwiseOf(constants, channelsOf(graph, writes.y), {
      a: reads.inputs[0],
      y: writes.y,
      slopes: constants.perChannel(weight, () => constants.weight(weight)),
    }),
  affine: ({ name, reads, writes, scale, shift }, constants, graph) =>
    pointwiseOf(constants, channelsOf(graph, writes.y), {
      a: reads.inputs[0],
      y: writes.y,
      scale: constants.perChannel(`${name}:scale`, () => scale),
      shift: constants.perChannel(`${name}:shift`, () => shift),
    }),
  concat: emitConcat,
  nearest: ({ reads, writes, scale }) => ({
    tasks: (place) => [
      move(place, place.map(reads.inputs[0]), place.map(writes.y), { divide: scale }),
    ],
  }),
  pixelShuffle: ({ reads, writes, scale }) => ({
    tasks: (place) => {
      const y = place.map(writes.y);
      return [
        ...clearPadding(y),
        move(place, place.map(reads.inputs[0]), y, {
          divide: scale,
          phase: 4,
          fromChannel: 4 * scale ** 2,
        }),
      ];
    },
  }),
  pixelUnshuffle: emitUnshuffle,
  bilinear: emitBilinear,
  globalAveragePool: ({ reads, writes }, _, graph) =>
    emitPool({ reads: { x: reads.inputs[0] }, writes }, graph, (mean) => mean),
  dynamicWeights: (op, constants, graph) => {
    const { first, second, temperature } = op;
    const [w1, w2] = [first, second].map(({ weight }) => constants.weight(weight));
    return emitPool(op, graph, (mean) => {
      const hidden = linearReference(mean, w1, first.lengthOut);
      const active = vectorActivationReference(hidden, { fn: 'relu' });
      return softmaxReference(linearReference(active, w2, second.lengthOut), temperature);
    });
  },
  linear: ({ reads, writes, weight, lengthOut }, constants, graph) => {
    const w = constants.weight(weight);
    const [from] = reads.inputs;
    return vectorOp(from, writes.y, lengthOf(graph, from), (x) => linearReference(x, w, lengthOut));
  },
  softmax: ({ reads, writes, temperature }, _, graph) => {
    const [from] = reads.inputs;
    const length = lengthOf(graph, from);
    return vectorOp(from, writes.y, length, (x) => softmaxReference(x, temperature));
  },
  vectorActivation: ({ reads, writes, activation }, _, graph) =>
    vectorOp(reads.x, writes.y, lengthOf(graph, reads.x), (x) =>
      vectorActivationReference(x, activation),
    ),
  slice: ({ reads, writes, first }) => ({
    tasks: (place) => {
      const [x, y] = [place.map(reads.inputs[0]), place.map(writes.y)];
      const part = { ...x, address: x.address + first * 4 };
      return [...clearPadding(y), move(place, part, y, { channels: y.channels })];
    },
  }),
  depthwise: null,
  layerNorm: null,
  scaleChannels: null,
  groupScores: null,
  groupMix: null,
  groupAttention: null,
  channelAttention: null,
  stridedConv: null,
  maxPool: null,
  resize: null,
  nonlocal: null,
};

/** Whether the oracle's loops run an op. */
export const runsSlowly = (op: FusedOp): op is SlowOp =>
  (EMITTERS as Readonly<Record<string, unknown>>)[op.op] === null;

/**
 * The module's work for an op; null if it has no function for it. Makes the op's constants.
 * @throws Error for ops of the fusion level `blocks`
 */
export function emit(op: FusedOp, constants: Constants, { graph }: FusedGraph): Emission | null {
  if (runsSlowly(op) || op.op === 'unpack' || op.op === 'pack') return null;
  const emitter = (EMITTERS as Partial<Record<string, Emitter<FusedOp['op']>>>)[op.op];
  if (!emitter) throw internal(`${op.op} is no op of the CPU backend`);
  return { op, ...emitter(op, constants, graph) };
}

function emitBilinear({ reads, writes, scale }: FusedOpOf<'bilinear'>): Omit<Emission, 'op'> {
  return {
    tasks: (place) => {
      const [x, y] = [place.map(reads.inputs[0]), place.map(writes.y)];
      const record = place.record('bilinear', {
        x: x.address,
        xRow: x.row,
        xWidth: x.width,
        xHeight: x.height,
        y: y.address,
        yRow: y.row,
        width: y.width,
        channelBytes: y.pixel,
        scale,
      });
      return [{ fn: 'bilinear', record, rows: y.height }];
    },
  };
}

/** The module sums rows; the host computes the mean and the following ops. */
function emitPool(
  { reads, writes }: Pick<FusedOpOf<'dynamicWeights'>, 'reads' | 'writes'>,
  graph: Graph,
  then: (mean: Float32Array<ArrayBuffer>) => Float32Array,
): Omit<Emission, 'op'> {
  const channels = channelsOf(graph, reads.x);
  const { scale } = mapOf(graph.nodes[reads.x].shape, graph.nodes[reads.x].name);
  return {
    scratch: (rows) => rows * padded(channels) * 4,
    tasks: (place) => {
      const x = place.map(reads.x);
      const [to, { scratch }] = [place.vector(writes.y), place];
      const record = place.record('sums', {
        x: x.address,
        xRow: x.row,
        y: scratch,
        width: x.width,
        channelBytes: x.pixel,
      });
      const sumsOf = (floats: Float32Array, from: number, to: number): RowSums => ({
        data: floats.slice((scratch + from * x.pixel) / 4, (scratch + to * x.pixel) / 4),
        stride: x.pixel / 4,
        width: x.width,
        channels,
      });
      const finish: HostTask = async (floats, { given, found, band }) => {
        const mean =
          given?.get(writes.y) ??
          (band
            ? await band.combine(writes.y, sumsOf(floats, band.from * scale, band.to * scale))
            : meansOf([sumsOf(floats, 0, x.height)]));
        found?.set(writes.y, mean);
        floats.set(then(mean), to / 4);
      };
      return [{ fn: 'sums', record, rows: x.height }, finish];
    },
  };
}

function vectorOp(
  x: ValueId,
  y: ValueId,
  length: number,
  apply: (x: Float32Array) => Float32Array,
): Omit<Emission, 'op'> {
  return {
    tasks: (place) => {
      const [from, to] = [place.vector(x) / 4, place.vector(y) / 4];
      return [(floats) => floats.set(apply(floats.slice(from, from + length)), to)];
    },
  };
}
