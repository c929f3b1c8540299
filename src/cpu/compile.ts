import type {
  ConvOp,
  FusedGraph,
  FusedOp,
  FusedOpOf,
  LoneOp,
  PointwiseOp,
  ValueId,
} from '../engine/compile/fused.ts';
import { internal } from '../errors.ts';
import type { Activation } from '../graph/activations.ts';
import type { Graph } from '../graph/graph.ts';
import { mapOf } from '../graph/shape.ts';
import { activate } from '../kernels/activation.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../kernels/vector/vector.reference.ts';
import { type Constants, packWeights, tapsOf } from './constants.ts';
import { type MapView, padded, pixelAt } from './layout.ts';
import type { RowFunction } from './module.ts';
import { type Field, KINDS, type RecordName } from './records.ts';

/** Rows of one function of the module. The rows of a task can run in any order and concurrently. */
export interface RowTask {
  readonly fn: RowFunction;
  readonly record: number;
  readonly rows: number;
}

/** Means of each channel over an image, by the value that a pooling writes. */
export interface Means {
  /**
   * Given means replace those of the current image or tile. They belong to the whole image that
   * contains it.
   */
  readonly given?: ReadonlyMap<ValueId, Float32Array<ArrayBuffer>> | undefined;
  /** Receives the computed means. */
  readonly found?: Map<ValueId, Float32Array<ArrayBuffer>> | undefined;
  /** The current image is part of an image whose other parts run at the same time. */
  readonly band?: Band | undefined;
}

/** A full-width part of an image. */
export interface Band {
  /** The part's own LR rows. The others also belong to its neighbours. */
  readonly from: number;
  readonly to: number;
  /** Returns the means over all parts once all parts have reached this pooling. */
  readonly combine: (id: ValueId, sums: RowSums) => Promise<Float32Array<ArrayBuffer>>;
}

/** Sums of each channel over rows of a map, [rows][`stride`]. */
export interface RowSums {
  readonly data: Float32Array;
  readonly stride: number;
  /** Pixels in a row. */
  readonly width: number;
  readonly channels: number;
}

/** The means of a map's channels, from its rows from top to bottom. */
export function meansOf(parts: readonly RowSums[]): Float32Array<ArrayBuffer> {
  const [{ stride, width, channels }] = parts;
  const pixels = parts.reduce((sum, { data }) => sum + (data.length / stride) * width, 0);
  return Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (const { data } of parts) for (let i = c; i < data.length; i += stride) sum += data[i];
    return sum / pixels;
  });
}

/** A small step that the host runs. */
export type HostTask = (floats: Float32Array, means: Means) => void | Promise<void>;

export type Task = RowTask | HostTask;

/** The addresses of an op's values at one size of the image. */
export interface Place {
  map(id: ValueId): MapView;
  /** Address of a vector. */
  vector(id: ValueId): number;
  /** Address of the bytes that `Emission.scratch` asked for. */
  readonly scratch: number;
  /** Writes a record. Missing words are zero. @returns its address */
  record<R extends RecordName>(name: R, fields: Readonly<Record<Field<R>, number>>): number;
  /** Writes consecutive records of one kind. */
  records<R extends RecordName>(
    name: R,
    list: readonly Readonly<Record<Field<R>, number>>[],
  ): { readonly start: number; readonly end: number };
}

/** An op with its constants, ready to be placed in memory. */
export interface Emission {
  readonly op: FusedOp;
  readonly tasks: (place: Place) => readonly Task[];
  /** Bytes that the op needs besides its values, by the rows of the map that it reads. */
  readonly scratch?: (rows: number) => number;
}

/** Ops of other fusion levels, and the pixel conversions that the host does. */
type Elsewhere = 'unpack' | 'pack' | 'attentionGate' | 'attentionMix' | 'gatedConv' | 'skipPack';

/** Null: the oracle's loops run it. Only for ops of the graph that stand alone. */
type Entry<K extends FusedOp['op']> = Emitter<K> | (K extends LoneOp['op'] ? null : never);

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
  channelAttention: null,
  stridedConv: null,
  maxPool: null,
  resize: null,
  nonlocal: null,
};

/** Whether the oracle's loops run an op. */
export const runsSlowly = (op: FusedOp): op is LoneOp =>
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

function emitConv(op: ConvOp, constants: Constants, graph: Graph): Omit<Emission, 'op'> {
  const { reads, writes, kernel, cOut, weight, bias, upsample, act0, act1, factor } = op;
  const parts = reads.x.map((id) => channelsOf(graph, id));
  const slopes =
    act0?.fn === 'prelu'
      ? constants.perChannel(act0.slopes, () => constants.weight(act0.slopes))
      : slopeOf(act0) === null || slopeOf(act0) === 1
        ? 0
        : constants.repeated(slopeOf(act0) ?? 1, cOut);
  const kind0 = act0?.fn === 'prelu' ? KINDS.slope : kindOf(act0);
  const biases =
    bias === null
      ? constants.repeated(0, cOut)
      : constants.perChannel(bias, () => constants.weight(bias));
  const phases = Array.from({ length: upsample }, (_, phase) => tapsOf(kernel, upsample, phase));
  const kernels = phases.flatMap((rows, dy) =>
    phases.map((columns, dx) => ({
      rows,
      columns,
      dy,
      dx,
      weights: constants.address(`${weight} ${parts} x${upsample} ${dy} ${dx}`, () =>
        packWeights(constants.weight(weight), op, parts, rows, columns),
      ),
    })),
  );
  const plain = kind0 === KINDS.slope && act1 === null && factor === 1;
  const bare = plain && reads.multiplier === null && reads.addend === null;
  const epilogue = bare
    ? null
    : pointwiseRecord(constants, cOut, {
        a: writes.y,
        y: writes.y,
        m: reads.multiplier,
        r: reads.addend,
        kind0,
        act1,
        factorA: factor,
      });
  return {
    tasks: (place) => {
      const y = place.map(writes.y);
      const maps = reads.x.map((id) => place.map(id));
      return kernels.map(({ rows, columns, dy, dx, weights }): RowTask => {
        const segments = place.records(
          'segment',
          maps.flatMap((map) =>
            rows.map(({ distance }) => ({
              base: pixelAt(map, distance, columns[0].distance),
              row: map.row,
              pixel: map.pixel,
              count: (columns.length * map.pixel) / 4,
            })),
          ),
        );
        const strides = { dy, dx, every: upsample };
        const record = place.record('conv', {
          segments: segments.start,
          segmentsEnd: segments.end,
          weights,
          bias: biases,
          slopes,
          y: pixelAt(y, dy, dx),
          yRow: y.row * upsample,
          yPixel: y.pixel * upsample,
          width: maps[0].width,
          channelBytes: y.pixel,
          epilogue: epilogue ? epilogue(place, strides) : 0,
        });
        return { fn: 'conv', record, rows: maps[0].height };
      });
    },
  };
}

function emitPointwise(
  { fn, reads, writes, factor, activation }: PointwiseOp,
  constants: Constants,
  graph: Graph,
): Omit<Emission, 'op'> {
  const { a, b, w } = reads;
  const own = activation === null || activates(activation);
  const { tasks } = pointwiseOf(constants, channelsOf(graph, a), {
    a,
    y: writes.y,
    act1: own ? activation : null,
    m: fn === 'mul' ? b : null,
    r: fn === 'add' || fn === 'mix' ? b : null,
    factorR: factor,
    mix: fn === 'mix' ? w : null,
  });
  if (own) return { tasks };
  return { tasks: (place) => [...tasks(place), activateOnHost(activation, place.map(writes.y))] };
}

/** Whether the module has an activation. */
export const activates = (activation: Activation): boolean =>
  slopeOf(activation) !== null || activation.fn in KINDS;

/** In place, by the activation's own formula. */
const activateOnHost =
  (activation: Activation, map: MapView): HostTask =>
  (floats) => {
    for (let y = 0; y < map.height; y++) {
      for (let x = 0; x < map.width; x++) {
        const at = pixelAt(map, y, x) / 4;
        for (let c = 0; c < map.channels; c++)
          floats[at + c] = activate(activation, floats[at + c]);
      }
    }
  };

/** y = act1(act0(a) * m * factorA + r * factorR); see the record. */
interface PointwiseSpec {
  readonly a: ValueId;
  readonly y: ValueId;
  /** Addresses of one value per channel, instead of a map. `slopes` belong to act0. */
  readonly slopes?: number;
  readonly scale?: number;
  readonly shift?: number;
  readonly m?: ValueId | null;
  readonly r?: ValueId | null;
  readonly kind0?: number;
  readonly act1?: Activation | null;
  readonly factorA?: number;
  readonly factorR?: number;
  /** A vector of both factors. */
  readonly mix?: ValueId | null;
}

/** Pixels of one phase of an enlargement; all pixels if `every` is 1. */
interface Strides {
  readonly dy: number;
  readonly dx: number;
  readonly every: number;
}

const ALL_PIXELS: Strides = { dy: 0, dx: 0, every: 1 };

/** Makes the constants of a pointwise record, and yields the function that writes it. */
function pointwiseRecord(constants: Constants, channels: number, spec: PointwiseSpec) {
  const ones = constants.repeated(1, channels);
  const zeros = constants.repeated(0, channels);
  const factorA = constants.repeated(spec.factorA ?? 1, 1);
  const factorR = constants.repeated(spec.factorR ?? 1, 1);
  const act1 = spec.act1 ?? null;
  return (place: Place, { dy, dx, every }: Strides): number => {
    const operand = (id: ValueId | null | undefined, otherwise: number) => {
      if (id === null || id === undefined) {
        return { at: otherwise, row: 0, skip: -padded(channels) * 4 };
      }
      const map = place.map(id);
      return { at: pixelAt(map, dy, dx), row: map.row * every, skip: map.pixel * (every - 1) };
    };
    const [a, y] = [operand(spec.a, 0), operand(spec.y, 0)];
    const m = operand(spec.m, spec.scale ?? ones);
    const r = operand(spec.r, spec.shift ?? zeros);
    const mix = spec.mix === null || spec.mix === undefined ? null : place.vector(spec.mix);
    const view = place.map(spec.y);
    return place.record('pointwise', {
      a: a.at,
      aRow: a.row,
      aSkip: a.skip,
      slopes: spec.slopes ?? ones,
      m: m.at,
      mRow: m.row,
      mSkip: m.skip,
      r: r.at,
      rRow: r.row,
      rSkip: r.skip,
      y: y.at,
      yRow: y.row,
      ySkip: y.skip,
      factorA: mix ?? factorA,
      factorR: mix === null ? factorR : mix + 4,
      kind0: spec.kind0 ?? KINDS.slope,
      kind1: kindOf(act1),
      slope1: slopeOf(act1) ?? 1,
      width: view.width / every,
      channelBytes: view.pixel,
    });
  };
}

function pointwiseOf(
  constants: Constants,
  channels: number,
  spec: PointwiseSpec,
): Omit<Emission, 'op'> {
  const write = pointwiseRecord(constants, channels, spec);
  return {
    tasks: (place) => [
      { fn: 'pointwise', record: write(place, ALL_PIXELS), rows: place.map(spec.y).height },
    ],
  };
}

function emitConcat({ reads, writes }: FusedOpOf<'concat'>): Omit<Emission, 'op'> {
  return {
    tasks: (place) => {
      const y = place.map(writes.y);
      let first = 0;
      const moves = reads.inputs.map((id) => {
        const part = place.map(id);
        const task = move(place, part, y, { channels: part.channels, to: first * 4 });
        first += part.channels;
        return task;
      });
      return [...clearPadding(y), ...moves];
    },
  };
}

function emitUnshuffle({
  reads,
  writes,
  scale,
}: FusedOpOf<'pixelUnshuffle'>): Omit<Emission, 'op'> {
  return {
    tasks: (place) => {
      const [x, y] = [place.map(reads.inputs[0]), place.map(writes.y)];
      const moves = Array.from({ length: scale ** 2 }, (_, phase) => {
        const [dy, dx] = [Math.floor(phase / scale), phase % scale];
        // The pixels of one phase, as a separate map.
        const part = {
          ...x,
          address: pixelAt(x, dy, dx),
          row: x.row * scale,
          pixel: x.pixel * scale,
        };
        return move(place, part, y, {
          channels: x.channels,
          to: phase * 4,
          toChannel: 4 * scale ** 2,
        });
      });
      return [...clearPadding(y), ...moves];
    },
  };
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

/** Moves values into all pixels of y. Distances are in bytes. */
function move(
  place: Place,
  from: MapView,
  y: MapView,
  options: {
    readonly divide?: number;
    readonly phase?: number;
    readonly fromChannel?: number;
    /** The position of the numbers in a pixel of y, and their distance. */
    readonly to?: number;
    readonly toChannel?: number;
    readonly channels?: number;
  },
): RowTask {
  const record = place.record('move', {
    from: from.address,
    fromRow: from.row,
    fromPixel: from.pixel,
    fromChannel: options.fromChannel ?? 4,
    y: y.address + (options.to ?? 0),
    yRow: y.row,
    yPixel: y.pixel,
    yChannel: options.toChannel ?? 4,
    width: y.width,
    channels: options.channels ?? y.channels,
    divide: options.divide ?? 1,
    phase: options.phase ?? 0,
  });
  return { fn: 'move', record, rows: y.height };
}

/** Padding channels must be finite, because convolutions multiply them by zero. */
function clearPadding(map: MapView): HostTask[] {
  if (map.channels % 4 === 0) return [];
  const start = map.address / 4;
  return [(floats) => void floats.fill(0, start, start + (map.height * map.row) / 4)];
}

function channelsOf({ nodes }: Graph, id: ValueId): number {
  const { shape, name } = nodes[id];
  if (shape.kind !== 'map') throw internal(`${name} is not a feature map`);
  return shape.channels;
}

function lengthOf({ nodes }: Graph, id: ValueId): number {
  const { shape, name } = nodes[id];
  if (shape.kind !== 'vector') throw internal(`${name} is not a vector`);
  return shape.length;
}

/** The slope of an activation that is linear on both sides; null for others. */
function slopeOf(activation: ConvOp['act0']): number | null {
  if (activation === null) return 1;
  if (activation.fn === 'leakyRelu') return activation.slope;
  return activation.fn === 'relu' ? 0 : null;
}

function kindOf(activation: Activation | null): number {
  if (activation === null || slopeOf(activation) !== null) return KINDS.slope;
  const kind = (KINDS as Readonly<Record<string, number>>)[activation.fn];
  if (kind === undefined) throw internal(`the module has no ${activation.fn}`);
  return kind;
}
