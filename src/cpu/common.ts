import type { FusedOp, FusedOpOf } from '../engine/compile/fused.ts';
import type { Graph } from '../graph/graph.ts';
import { mapOf } from '../graph/shape.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../kernels/vector/vector.reference.ts';
import type { Constants } from './constants.ts';
import { emitConv } from './conv.ts';
import { pixelAt, pixelBytes } from './layout.ts';
import { emitPointwise } from './pointwise.ts';
import { type Emission, type HostTask, meansOf, type RowSums, type Vector } from './tasks.ts';

export type Emitter<K extends FusedOp['op'] = FusedOp['op']> = (
  op: FusedOpOf<K>,
  constants: Constants,
  graph: Graph,
) => Emission;

/**
 * The emitters for the ops of A2N and PAN, the networks that most users run. `others.ts` contains
 * the remaining emitters.
 */
export const COMMON = {
  // `CpuModel` converts the pixels before and after the tasks, so these ops need no tasks.
  unpack: () => ({ tasks: () => [] }),
  pack: () => ({ tasks: () => [] }),
  conv: emitConv,
  pointwise: emitPointwise,
  bilinear: emitBilinear,
  dynamicWeights: (op, constants, graph) => {
    const { first, second, temperature } = op;
    const [w1, w2] = [first, second].map(({ weight }) => constants.weight(weight));
    return emitPool(op, graph, (mean) => {
      const hidden = linearReference(mean, w1, first.lengthOut);
      const active = vectorActivationReference(hidden, { fn: 'relu' });
      return softmaxReference(linearReference(active, w2, second.lengthOut), temperature);
    });
  },
} satisfies { readonly [K in FusedOp['op']]?: Emitter<K> };

export const commonOf = ({ op }: FusedOp) => COMMON[op as CommonOp] as Emitter;

/**
 * Ops that compute means over the image. If the image is a tile of a larger image, the caller can
 * supply the means of the larger image.
 */
export const POOLS: ReadonlySet<FusedOp['op']> = new Set([
  'globalAveragePool',
  'meanOfSquares',
  'dynamicWeights',
]);

export type CommonOp = keyof typeof COMMON;

/** Provides the CPU backend's emitters for a network's ops. */
export interface Emitters {
  of(op: FusedOp): Emitter;
  /**
   * Returns whether this op runs in plain TypeScript loops (see `loops.ts`). The WebAssembly module
   * has no functions for such ops.
   */
  isSlow(op: FusedOp): boolean;
}

function emitBilinear({ reads, writes, scale }: FusedOpOf<'bilinear'>): Emission {
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

type Pooling = Pick<FusedOpOf<'dynamicWeights'>, 'reads' | 'writes'> & {
  readonly inset?: FusedOpOf<'globalAveragePool'>['inset'];
};

/**
 * Emits a pooling op. A WebAssembly function sums the pixels of each row. A host task then computes
 * the mean of each channel and passes the means to `then`, which runs the vector ops that follow.
 * The option `inset` excludes rows and columns at the map's edges.
 */
export function emitPool(
  { reads, writes, inset: [first, last] = [0, 0] }: Pooling,
  graph: Graph,
  then: (mean: Vector) => Float32Array = (mean) => mean,
): Emission {
  const { channels, scale } = mapOf(graph.nodes[reads.x].shape, graph.nodes[reads.x].name);
  return {
    scratch: ({ height }) => height * pixelBytes(channels),
    tasks: (place) => {
      const map = place.map(reads.x);
      const { row, pixel } = map;
      // A small tile can consist only of excluded rows and columns, so the width and height that
      // remain are clamped to at least 1. The means of such a tile are not used, because tiles
      // receive means that were computed beforehand.
      const [width, height] = [map.width, map.height].map((side) =>
        Math.max(1, side - first - last),
      );
      const [to, { scratch }] = [place.vector(writes.y), place];
      const record = place.record('sums', {
        x: pixelAt(map, first, first),
        xRow: row,
        y: scratch,
        width,
        channelBytes: pixel,
      });
      const sumsOf = (floats: Float32Array, from: number, to: number): RowSums => ({
        data: floats.slice((scratch + from * pixel) / 4, (scratch + to * pixel) / 4),
        stride: pixel / 4,
        width,
        channels,
      });
      /** Converts the index of an LR row to an index among the rows that are not excluded. */
      const within = (lr: number) => Math.min(height, Math.max(0, lr * scale - first));
      const finish: HostTask = async (floats, { means: { given, found, band } }) => {
        const mean =
          given?.get(writes.y) ??
          (band
            ? await band.combine(writes.y, sumsOf(floats, within(band.from), within(band.to)))
            : meansOf([sumsOf(floats, 0, height)]));
        found?.set(writes.y, mean);
        floats.set(then(mean), to / 4);
      };
      return [{ fn: 'sums', record, rows: height }, finish];
    },
  };
}
