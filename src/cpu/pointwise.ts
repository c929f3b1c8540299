/** Emits pointwise ops and the epilogues of convolutions. */
import type { ConvOp, PointwiseOp, ValueId } from '../engine/compile/fused.ts';
import { internal } from '../errors.ts';
import type { Activation } from '../graph/activations.ts';
import type { Graph } from '../graph/graph.ts';
import type { Constants } from './constants.ts';
import { channelsOf, pixelAt, pixelBytes } from './layout.ts';
import { KINDS } from './records.ts';
import type { Emission, Place } from './tasks.ts';

export function emitPointwise(
  { fn, reads, writes, factor, activation }: PointwiseOp,
  constants: Constants,
  graph: Graph,
): Emission {
  const { a, b, w } = reads;
  return pointwiseOf(constants, graph, {
    a,
    y: writes.y,
    act1: activation,
    m: fn === 'mul' ? b : null,
    r: fn === 'add' || fn === 'mix' ? b : null,
    factorR: factor,
    mix: fn === 'mix' ? w : null,
  });
}

/** Returns whether the WebAssembly module can compute an activation. */
export const activates = (activation: Activation): boolean =>
  slopeOf(activation) !== null || activation.fn in KINDS;

/** The operands and parameters of `y = act1(act0(a) * m * factorA + r * factorR)`. */
interface PointwiseSpec {
  readonly a: ValueId;
  readonly y: ValueId;
  /**
   * `slopes`, `scale` and `shift` are the addresses of vectors with one value per channel. `act0`
   * uses `slopes`. If there is no map `m`, `scale` takes its place in the formula, and if there is
   * no map `r`, `shift` takes its place.
   */
  readonly slopes?: number;
  readonly scale?: number | ((place: Place) => number);
  readonly shift?: number | ((place: Place) => number);
  readonly m?: ValueId | null;
  readonly r?: ValueId | null;
  readonly kind0?: number;
  readonly act1?: Activation | null;
  readonly factorA?: number;
  readonly factorR?: number;
  /** A vector of two values, which are used as `factorA` and `factorR`. */
  readonly mix?: ValueId | null;
}

/**
 * Selects the pixels in the rows `dy + i * every` and the columns `dx + j * every`. If a
 * convolution follows an enlargement, `every` is the enlargement factor, and the convolution uses a
 * different kernel for each pair of `dy` and `dx`. If `every` is 1, all pixels are selected.
 */
interface Strides {
  readonly dy: number;
  readonly dx: number;
  readonly every: number;
}

export const ALL_PIXELS: Strides = { dy: 0, dx: 0, every: 1 };

/**
 * Returns a function that writes the `pointwise` record of an op. The record contains addresses of
 * constants, such as the factors, and these constants are added to `constants`.
 */
export function pointwiseRecord(constants: Constants, channels: number, spec: PointwiseSpec) {
  const ones = constants.repeated(1, channels);
  const zeros = constants.repeated(0, channels);
  const factorA = constants.repeated(spec.factorA ?? 1, 1);
  const factorR = constants.repeated(spec.factorR ?? 1, 1);
  const { act1 = null, mix: mixId = null } = spec;
  return (place: Place, { dy, dx, every }: Strides): number => {
    const operand = (otherwise: number, id: ValueId | null = null) => {
      if (id === null) return { at: otherwise, row: 0, skip: -pixelBytes(channels) };
      const map = place.map(id);
      return { at: pixelAt(map, dy, dx), row: map.row * every, skip: map.pixel * (every - 1) };
    };
    const [a, y] = [operand(0, spec.a), operand(0, spec.y)];
    const at = (value: PointwiseSpec['scale'], otherwise: number) =>
      typeof value === 'function' ? value(place) : (value ?? otherwise);
    const m = operand(at(spec.scale, ones), spec.m);
    const r = operand(at(spec.shift, zeros), spec.r);
    const mix = mixId === null ? null : place.vector(mixId);
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

export function pointwiseOf(constants: Constants, graph: Graph, spec: PointwiseSpec): Emission {
  const write = pointwiseRecord(constants, channelsOf(graph, spec.y), spec);
  return {
    tasks: (place) => [
      { fn: 'pointwise', record: write(place, ALL_PIXELS), rows: place.map(spec.y).height },
    ],
  };
}

/**
 * Returns the slope for negative inputs if the activation is a ReLU or a leaky ReLU, and 1 if there
 * is no activation. Returns null for other activations.
 */
export function slopeOf(activation: ConvOp['act0']): number | null {
  if (activation === null) return 1;
  if (activation.fn === 'leakyRelu') return activation.slope;
  return activation.fn === 'relu' ? 0 : null;
}

export function kindOf(activation: Activation | null): number {
  if (activation === null || slopeOf(activation) !== null) return KINDS.slope;
  const kind = (KINDS as Readonly<Record<string, number>>)[activation.fn];
  if (kind === undefined) throw internal(`the module has no ${activation.fn}`);
  return kind;
}
