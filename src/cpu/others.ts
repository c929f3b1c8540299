/** Ops that A2N and PAN do not have; lazily loaded. */
import type { FusedOp, PointwiseOp, ValueId } from '../engine/compile/fused.ts';
import { internal } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { activate } from '../kernels/activation.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../kernels/vector/vector.reference.ts';
import { type CommonOp, type Emitter, type Emitters, emitPool } from './common.ts';
import type { Constants } from './constants.ts';
import { channelsOf, lengthOf, pixelAt } from './layout.ts';
import type { SlowOp } from './loops.ts';
import { clearPadding, emitConcat, emitUnshuffle, move } from './moves.ts';
import { activates, emitPointwise, pointwiseOf } from './pointwise.ts';
import type { Emission, HostTask } from './tasks.ts';

/** Ops of other fusion levels. */
type Elsewhere = 'attentionGate' | 'attentionMix' | 'gatedConv' | 'skipPack';

/** Null: plain loops run it. */
type Entry<K extends FusedOp['op']> = Emitter<K> | (K extends SlowOp['op'] ? null : never);

const OTHERS: {
  readonly [K in Exclude<FusedOp['op'], CommonOp | Elsewhere> | 'pointwise']: Entry<K>;
} = {
  pointwise: emitAnyPointwise,
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
  globalAveragePool: ({ reads, writes }, _, graph) =>
    emitPool({ reads: { x: reads.inputs[0] }, writes }, graph, (mean) => mean),
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

const entryOf = ({ op }: FusedOp) => (OTHERS as Readonly<Record<string, Emitter | null>>)[op];

/** As `emittersFor`, for networks that have other ops. */
export async function othersFor(
  ops: readonly FusedOp[],
  common: Emitters['of'],
): Promise<Emitters> {
  const isSlow = (op: FusedOp) => entryOf(op) === null;
  const loop = ops.some(isSlow) ? (await import('./loops.ts')).emitLoop : null;
  return {
    of(op) {
      const emitter = isSlow(op) ? loop : (entryOf(op) ?? common(op));
      if (!emitter) throw internal(`${op.op} is no op of the CPU backend`);
      return emitter as Emitter;
    },
    isSlow,
  };
}

/** Also with activations that the module lacks: the host computes them by their formula. */
function emitAnyPointwise(op: PointwiseOp, constants: Constants, graph: Graph): Emission {
  const { activation } = op;
  if (activation === null || activates(activation)) return emitPointwise(op, constants, graph);
  const { tasks } = emitPointwise({ ...op, activation: null }, constants, graph);
  return {
    tasks: (place) => {
      const map = place.map(op.writes.y);
      const bend: HostTask = (floats) => {
        for (let y = 0; y < map.height; y++) {
          for (let x = 0; x < map.width; x++) {
            const at = pixelAt(map, y, x) / 4;
            for (let c = 0; c < map.channels; c++)
              floats[at + c] = activate(activation, floats[at + c]);
          }
        }
      };
      return [...tasks(place), bend];
    },
  };
}

function vectorOp(
  x: ValueId,
  y: ValueId,
  length: number,
  apply: (x: Float32Array) => Float32Array,
): Emission {
  return {
    tasks: (place) => {
      const [from, to] = [place.vector(x) / 4, place.vector(y) / 4];
      return [(floats) => floats.set(apply(floats.slice(from, from + length)), to)];
    },
  };
}
