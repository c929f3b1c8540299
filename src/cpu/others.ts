/**
 * The emitters for ops that the families A2N and PAN do not use. This file is loaded only when it
 * is needed.
 */
import type {
  FusedOp,
  FusedOpOf,
  MergedOp,
  PointwiseOp,
  ValueId,
} from '../engine/compile/fused.ts';
import { internal } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { activate } from '../kernels/activation.ts';
import { groupMeansReference } from '../kernels/plksr/plksr.reference.ts';
import { each, paced } from '../kernels/steps.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../kernels/vector/vector.reference.ts';
import { type CommonOp, commonOf, type Emitter, type Emitters, emitPool } from './common.ts';
import type { Constants } from './constants.ts';
import { channelsOf, lengthOf, mapAt, mapBytes, pixelAt, pixelBytes } from './layout.ts';
import type { SlowOp } from './loops.ts';
import { emitConcat, emitMoves, emitUnshuffle, move } from './moves.ts';
import { ALL_PIXELS, activates, emitPointwise, pointwiseOf, pointwiseRecord } from './pointwise.ts';
import type { Emission, HostTask, Place } from './tasks.ts';

/** Ops that occur only at the fusion level `blocks` or in the GPU backend. */
type Elsewhere = 'attentionGate' | 'attentionMix' | 'gatedConv' | 'skipPack' | MergedOp['op'];

/** An op's emitter. Null means that the op runs in plain TypeScript loops (see `loops.ts`). */
type Entry<K extends FusedOp['op']> = Emitter<K> | (K extends SlowOp['op'] ? null : never);

const OTHERS: {
  readonly [K in Exclude<FusedOp['op'], CommonOp | Elsewhere> | 'pointwise']: Entry<K>;
} = {
  pointwise: emitAnyPointwise,
  prelu: ({ reads, writes, weight }, constants, graph) =>
    pointwiseOf(constants, graph, {
      a: reads.inputs[0],
      y: writes.y,
      slopes: constants.perChannel(weight),
    }),
  affine: ({ name, reads, writes, scale, shift }, constants, graph) =>
    pointwiseOf(constants, graph, {
      a: reads.inputs[0],
      y: writes.y,
      scale: constants.perChannel(`${name}:scale`, scale),
      shift: constants.perChannel(`${name}:shift`, shift),
    }),
  concat: emitConcat,
  nearest: (op) => emitMoves(op, (place, x, y) => [move(place, x, y, { divide: op.scale })]),
  pixelShuffle: (op) =>
    emitMoves(op, (place, x, y) => [
      move(place, x, y, { divide: op.scale, phase: 4, fromChannel: 4 * op.scale ** 2 }),
    ]),
  pixelUnshuffle: emitUnshuffle,
  globalAveragePool: ({ reads, writes, inset }, _, graph) =>
    emitPool({ reads: { x: reads.inputs[0] }, writes, inset }, graph),
  meanOfSquares: emitMeanOfSquares,
  linear: ({ reads, writes, weight, bias, lengthOut }, constants, graph) => {
    const w = constants.weight(weight);
    const b = bias === null ? null : constants.weight(bias);
    return vectorOp(graph, reads.inputs[0], writes.y, (x) => linearReference(x, w, lengthOut, b));
  },
  softmax: ({ reads, writes, temperature }, _, graph) =>
    vectorOp(graph, reads.inputs[0], writes.y, (x) => softmaxReference(x, temperature)),
  vectorActivation: ({ reads, writes, activation }, _, graph) =>
    vectorOp(graph, reads.x, writes.y, (x) => vectorActivationReference(x, activation)),
  slice: (op) =>
    emitMoves(op, (place, x, y) => [move(place, { ...x, address: x.address + op.first * 4 }, y)]),
  // The view of `x` begins at the pixel (`by`, `by`). Beyond the edge of the map, it reads the zeros
  // in the border of `x`.
  shift: (op) =>
    emitMoves(op, (place, x, y) => [move(place, { ...x, address: pixelAt(x, op.by, op.by) }, y)]),
  depthwise: null,
  layerNorm: null,
  scaleChannels: ({ reads, writes }, constants, graph) =>
    pointwiseOf(constants, graph, {
      a: reads.inputs[0],
      y: writes.y,
      scale: (place) => place.vector(reads.inputs[1]),
    }),
  centre: ({ reads, writes, groups }, constants, graph) =>
    emitGroupAffine(constants, graph, { reads, writes }, (means) => {
      const shift = groupMeansReference(means, groups).map((mean) => -mean);
      return { scale: shift.map(() => 1), shift };
    }),
  groupNorm: ({ reads, writes, groups, epsilon, weight, bias }, constants, graph) => {
    const [w, shift] = [weight, bias].map((name) => constants.weight(name));
    return emitGroupAffine(constants, graph, { reads, writes }, (squares) => {
      const variance = groupMeansReference(squares, groups);
      return { scale: variance.map((v, c) => w[c] / Math.sqrt(v + epsilon)), shift };
    });
  },
  repeatChannels: (op) =>
    emitMoves(op, (place, x, y) =>
      Array.from({ length: op.times }, (_, i) =>
        move(place, x, y, { channels: x.channels, to: i * 4, toChannel: op.times * 4 }),
      ),
    ),
  groupScores: null,
  groupMix: null,
  groupAttention: null,
  channelAttention: null,
  stridedConv: null,
  maxPool: null,
  resize: null,
  partialConv: null,
  dySample: null,
  nonlocal: null,
};

const entryOf = ({ op }: FusedOp) => (OTHERS as Readonly<Record<string, Emitter | null>>)[op];

/** Returns the emitters for a network with ops that the emitters in `common.ts` cannot emit. */
export async function othersFor(ops: readonly FusedOp[]): Promise<Emitters> {
  const isSlow = (op: FusedOp) => entryOf(op) === null;
  const loop = ops.some(isSlow) ? (await import('./loops.ts')).emitLoop : null;
  return {
    of(op) {
      const emitter = isSlow(op) ? loop : (entryOf(op) ?? commonOf(op));
      if (!emitter) throw internal(`${op.op} is no op of the CPU backend`);
      return emitter as Emitter;
    },
    isSlow,
  };
}

/**
 * Emits pointwise ops. If the WebAssembly module lacks an op's activation function, JavaScript
 * computes it.
 */
function emitAnyPointwise(op: PointwiseOp, constants: Constants, graph: Graph): Emission {
  const { activation } = op;
  if (activation === null || activates(activation)) return emitPointwise(op, constants, graph);
  const { tasks } = emitPointwise({ ...op, activation: null }, constants, graph);
  return {
    tasks: (place) => {
      const map = place.map(op.writes.y);
      const bendRow = (floats: Float32Array, y: number) => {
        for (let x = 0; x < map.width; x++) {
          const at = pixelAt(map, y, x) / 4;
          for (let c = 0; c < map.channels; c++)
            floats[at + c] = activate(activation, floats[at + c]);
        }
      };
      const bend: HostTask = (floats, { pause }) =>
        paced(
          each(map.height, (y) => bendRow(floats, y)),
          pause,
        );
      return [...tasks(place), bend];
    },
  };
}

/**
 * Emits tasks that write the squares of a map's values to scratch memory, and then average the
 * squares of each channel.
 */
function emitMeanOfSquares(
  { reads, writes }: FusedOpOf<'meanOfSquares'>,
  constants: Constants,
  graph: Graph,
): Emission {
  const [x] = reads.inputs;
  const channels = channelsOf(graph, x);
  const pool = emitPool({ reads: { x }, writes }, graph);
  const square = pointwiseRecord(constants, channels, { a: x, m: x, y: writes.y });
  const sumBytes = (height: number) => height * pixelBytes(channels);
  return {
    scratch: (map) => sumBytes(map.height) + mapBytes(map),
    tasks: (place) => {
      const map = place.map(x);
      const squares = mapAt(place.scratch + sumBytes(map.height), map);
      const into: Place = { ...place, map: (id) => (id === writes.y ? squares : place.map(id)) };
      const from: Place = { ...place, map: (id) => (id === x ? squares : place.map(id)) };
      const record = square(into, ALL_PIXELS);
      return [{ fn: 'pointwise', record, rows: map.height }, ...pool.tasks(from)];
    },
  };
}

/**
 * Emits `y = scale * x + shift`. A callback on the host reads the op's second input, a vector, and
 * computes `scale` and `shift` for each channel.
 */
function emitGroupAffine(
  constants: Constants,
  graph: Graph,
  { reads, writes }: Pick<FusedOpOf<'centre'>, 'reads' | 'writes'>,
  then: (vector: Float32Array) => Readonly<Record<'scale' | 'shift', ArrayLike<number>>>,
): Emission {
  const [x, vector] = reads.inputs;
  const channels = channelsOf(graph, x);
  const bytes = pixelBytes(channels);
  const { tasks } = pointwiseOf(constants, graph, {
    a: x,
    y: writes.y,
    scale: ({ scratch }) => scratch,
    shift: ({ scratch }) => scratch + bytes,
  });
  return {
    scratch: () => 2 * bytes,
    tasks: (place) => {
      const [from, to] = [place.vector(vector) / 4, place.scratch / 4];
      const compute: HostTask = (floats) => {
        const { scale, shift } = then(floats.slice(from, from + channels));
        floats.set(scale, to);
        floats.set(shift, to + bytes / 4);
      };
      return [compute, ...tasks(place)];
    },
  };
}

function vectorOp(
  graph: Graph,
  x: ValueId,
  y: ValueId,
  apply: (x: Float32Array) => Float32Array,
): Emission {
  const length = lengthOf(graph, x);
  return {
    tasks: (place) => {
      const [from, to] = [place.vector(x) / 4, place.vector(y) / 4];
      return [(floats) => floats.set(apply(floats.slice(from, from + length)), to)];
    },
  };
}
