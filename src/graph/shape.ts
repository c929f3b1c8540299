import type { Size } from '../geometry.ts';

/**
 * A reduction to one pixel per square of `kernel` x `kernel` pixels. Squares start at every
 * `stride`-th pixel and are entirely inside the map.
 */
export interface Reduction {
  readonly kernel: number;
  readonly stride: number;
}

export interface MapShape {
  readonly kind: 'map';
  readonly channels: number;
  readonly scale: number;
  /** The reductions that were applied to the map, in order. `scale` does not include them. */
  readonly reduced?: readonly Reduction[];
}

/** Returns a map's size for an LR image (or a tile) of size `lr`. */
export function mapSize(
  { scale, reduced = [] }: Omit<MapShape, 'kind' | 'channels'>,
  lr: Size,
): Size {
  const shrink = (side: number) =>
    reduced.reduce((n, { kernel, stride }) => Math.floor((n - kernel) / stride) + 1, side * scale);
  return { width: shrink(lr.width), height: shrink(lr.height) };
}

export interface VectorShape {
  readonly kind: 'vector';
  readonly length: number;
}

/**
 * Numbers that are not arranged by pixel and channel, such as cluster codes, sort orders and
 * attention weights. Only the ops of `nonlocalOp.ts` and `transformerOp.ts` use tables.
 */
export interface TableShape {
  readonly kind: 'table';
  /** Returns the table's dimensions, outermost first, for an LR image of the given size. */
  readonly dims: (size: Size) => readonly number[];
  readonly integer: boolean;
}

export type Shape = MapShape | VectorShape | TableShape;

export const isReduced = (shape: Shape): boolean =>
  shape.kind === 'map' && shape.reduced !== undefined;

/** Returns the factor by which a map's reductions divide its side lengths, apart from rounding. */
export const strideOf = ({ reduced = [] }: MapShape): number =>
  reduced.reduce((product, { stride }) => product * stride, 1);

/** Returns the number of map pixels per LR pixel, or 0 if the shape is not that of a map. */
export const areaOf = (shape: Shape): number =>
  shape.kind === 'map' ? (shape.scale / strideOf(shape)) ** 2 : 0;

/** Returns the number of channels, or 0 if the shape is not that of a map. */
export const channelsOf = (shape: Shape): number => (shape.kind === 'map' ? shape.channels : 0);

/**
 * Reports a malformed network definition. The cause is either a mistake in the code or a weights
 * file whose layers do not fit together.
 */
export class GraphError extends Error {
  override name = 'GraphError';
}

/** @throws GraphError for anything but a feature map */
export function mapOf(shape: Shape, name: string): MapShape {
  if (shape.kind !== 'map') throw new GraphError(`${name} is a ${shape.kind}, not a feature map`);
  return shape;
}

/** @throws GraphError for anything but a vector */
export function vectorOf(shape: Shape, name: string): VectorShape {
  if (shape.kind !== 'vector') throw new GraphError(`${name} is a ${shape.kind}, not a vector`);
  return shape;
}

/** Returns the shape that two maps share. @throws GraphError if their shapes differ */
export function sameMap(a: Shape, b: Shape, name: string): MapShape {
  const [sa, sb] = [mapOf(a, name), mapOf(b, name)];
  const extent = ({ scale, reduced = [] }: MapShape) => JSON.stringify([scale, reduced]);
  if (sa.channels !== sb.channels || extent(sa) !== extent(sb)) {
    throw new GraphError(
      `${name}: ${sa.channels} channels at x${sa.scale} against ${sb.channels} at x${sb.scale}`,
    );
  }
  return sa;
}
