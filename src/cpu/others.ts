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
import { mapOf } from '../graph/shape.ts';
import { activate } from '../kernels/activation.ts';
import { groupMeansReference } from '../kernels/plksr/plksr.reference.ts';
import { each, paced } from '../kernels/steps.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../kernels/vector/vector.reference.ts';
import { type CommonOp, type Emitter, type Emitters, emitPool } from './common.ts';
import type { Constants } from './constants.ts';
import { channelsOf, lengthOf, mapAt, mapBytes, padded, pixelAt } from './layout.ts';
import type { SlowOp } from './loops.ts';
import { clearPadding, emitConcat, emitUnshuffle, move } from './moves.ts';
import { ALL_PIXELS, activates, emitPointwise, pointwiseOf, pointwiseRecord } from './pointwise.ts';
import type { Band, Emission, HostTask, Place } from './tasks.ts';

/** Ops that occur only at the fusion level `blocks` or in the GPU backend. */
type Elsewhere = 'attentionGate' | 'attentionMix' | 'gatedConv' | 'skipPack' | MergedOp['op'];

/** An op's emitter. Null means that the op runs in plain TypeScript loops (see `loops.ts`). */
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
  globalAveragePool: emitMean,
  meanOfSquares: emitMeanOfSquares,
  linear: ({ reads, writes, weight, bias, lengthOut }, constants, graph) => {
    const w = constants.weight(weight);
    const b = bias === null ? null : constants.weight(bias);
    const [from] = reads.inputs;
    return vectorOp(from, writes.y, lengthOf(graph, from), (x) =>
      linearReference(x, w, lengthOut, b),
    );
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
  shift: ({ reads, writes, by }) => ({
    tasks: (place) => {
      const [x, y] = [place.map(reads.inputs[0]), place.map(writes.y)];
      // This view of `x` begins at the pixel (`by`, `by`). Beyond the edge of the map, it reads the
      // zeros in the border of `x`.
      const moved = { ...x, address: pixelAt(x, by, by) };
      return [...clearPadding(y), move(place, moved, y, { channels: x.channels })];
    },
  }),
  depthwise: null,
  layerNorm: null,
  scaleChannels: ({ reads, writes }, constants, graph) =>
    pointwiseOf(constants, channelsOf(graph, writes.y), {
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
  repeatChannels: ({ reads, writes, times }) => ({
    tasks: (place) => {
      const [x, y] = [place.map(reads.inputs[0]), place.map(writes.y)];
      const moves = Array.from({ length: times }, (_, i) =>
        move(place, x, y, { channels: x.channels, to: i * 4, toChannel: times * 4 }),
      );
      return [...clearPadding(y), ...moves];
    },
  }),
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

/**
 * Returns the emitters for a network with ops that the emitters in `common.ts` cannot emit.
 * @param common returns the emitter in `common.ts` for an op
 */
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
 * Emits tasks that compute the mean of each channel of a map. The option `inset` excludes rows and
 * columns at the map's edges.
 */
function emitMean(
  { reads, writes, inset }: FusedOpOf<'globalAveragePool'>,
  _: Constants,
  graph: Graph,
): Emission {
  const [x] = reads.inputs;
  const pool = emitPool({ reads: { x }, writes }, graph, (mean) => mean);
  if (!inset) return pool;
  const [first, last] = inset;
  const { scale } = mapOf(graph.nodes[x].shape, graph.nodes[x].name);
  return {
    ...pool,
    tasks: (place) => {
      const map = place.map(x);
      // A small tile can consist only of excluded rows and columns, so the width and height that
      // remain are clamped to at least 1. The means of such a tile are not used, because tiles
      // receive means that were computed beforehand.
      const [width, height] = [map.width, map.height].map((side) =>
        Math.max(1, side - first - last),
      );
      const inner = { ...map, address: pixelAt(map, first, first), width, height };
      const tasks = pool.tasks({ ...place, map: (id) => (id === x ? inner : place.map(id)) });
      /**
       * Converts a band's range of LR rows so that row 0 is the first row of `inner`, which is the
       * map without the excluded rows and columns. `emitPool` converts both ends of the range to
       * array indices, which are rounded down. A small value is therefore added to each end, so
       * that a rounding error cannot decrease an index.
       */
      const within = ({ from, to, combine }: Band): Band => {
        const row = (at: number) =>
          (Math.min(height, Math.max(0, at * scale - first)) + 1e-4) / scale;
        return { from: row(from), to: row(to), combine };
      };
      return tasks.map((task) =>
        typeof task === 'function'
          ? (floats, run) => {
              const { band, ...means } = run.means;
              return task(floats, { ...run, means: { ...means, band: band && within(band) } });
            }
          : task,
      );
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
  const pool = emitPool({ reads: { x }, writes }, graph, (mean) => mean);
  const square = pointwiseRecord(constants, channels, { a: x, m: x, y: writes.y });
  const sumBytes = (height: number) => height * padded(channels) * 4;
  return {
    scratch: ({ width, height }) => sumBytes(height) + mapBytes(channels, width, height),
    tasks: (place) => {
      const { width, height } = place.map(x);
      const squares = mapAt(place.scratch + sumBytes(height), channels, width, height);
      const into: Place = { ...place, map: (id) => (id === writes.y ? squares : place.map(id)) };
      const from: Place = { ...place, map: (id) => (id === x ? squares : place.map(id)) };
      const record = square(into, ALL_PIXELS);
      return [{ fn: 'pointwise', record, rows: height }, ...pool.tasks(from)];
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
  const bytes = padded(channels) * 4;
  const { tasks } = pointwiseOf(constants, channels, {
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
