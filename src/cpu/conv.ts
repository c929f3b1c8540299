/**
 * Emits convolutions. A convolution is computed either pixel by pixel, or in tiles of 2x2 pixels
 * with fewer multiplications (see `winograd.ts`).
 */
import type { ConvOp } from '../engine/compile/fused.ts';
import type { Graph } from '../graph/graph.ts';
import { type Constants, packWeights, tapsOf } from './constants.ts';
import { channelsOf, padded, pixelAt } from './layout.ts';
import { ALL_PIXELS, kindOf, pointwiseRecord, slopeOf } from './pointwise.ts';
import { KINDS } from './records.ts';
import type { Emission, RowTask } from './tasks.ts';
import {
  POSITIONS,
  SIDE,
  TILE_SIDE,
  transformFilters,
  windowBytes,
  worthTiles,
} from './winograd.ts';

export function emitConv(op: ConvOp, constants: Constants, graph: Graph): Emission {
  const { reads, writes, cOut, bias, act0, act1, factor } = op;
  const parts = reads.x.map((id) => channelsOf(graph, id));
  const slope = slopeOf(act0) ?? 1;
  const slopes =
    act0?.fn === 'prelu'
      ? constants.perChannel(act0.slopes)
      : slope === 1
        ? 0
        : constants.repeated(slope, cOut);
  const kind0 = act0?.fn === 'prelu' ? KINDS.slope : kindOf(act0);
  const isPlain =
    kind0 === KINDS.slope &&
    act1 === null &&
    factor === 1 &&
    reads.multiplier === null &&
    reads.addend === null;
  const shared: Shared = {
    parts,
    slopes,
    bias: bias === null ? constants.repeated(0, cOut) : constants.perChannel(bias),
    epilogue: isPlain
      ? () => 0
      : pointwiseRecord(constants, cOut, {
          a: writes.y,
          y: writes.y,
          m: reads.multiplier,
          r: reads.addend,
          kind0,
          act1,
          factorA: factor,
        }),
  };
  return byTiles(op) && !constants.exact
    ? emitTiles(op, constants, shared)
    : emitRuns(op, constants, shared);
}

/** The values that `emitRuns` and `emitTiles` both use. */
interface Shared {
  /** The number of channels in each part of the input. */
  readonly parts: readonly number[];
  /** The addresses of the activation's slopes and the convolution's biases. */
  readonly slopes: number;
  readonly bias: number;
  readonly epilogue: ReturnType<typeof pointwiseRecord>;
}

/**
 * Returns whether a convolution is suited to tiles of 2x2 pixels. The result does not depend on the
 * image's size. If `Constants.exact` is true, no convolution uses tiles.
 */
const byTiles = ({ kernel, upsample, cIn, cOut }: ConvOp): boolean =>
  kernel === 3 && upsample === 1 && worthTiles(cIn, cOut);

/** The overhead of each sum of products, in multiply-adds. */
const TILE_ENDS = 10;

/**
 * Returns a convolution's cost per LR pixel, excluding the cost of writing its result. `values` is
 * the cost of activations and of transforming tiles, given as the number of values that could be
 * written in the same time.
 */
export function costOf(op: ConvOp): { readonly multiplyAdds: number; readonly values: number } {
  const { kernel, upsample, cIn, cOut, multiplyAdds } = op;
  const pixels = multiplyAdds / (kernel ** 2 * cIn * cOut);
  // Activations such as the sigmoid compute an exponential, which is assumed to cost as much as
  // writing four values.
  const bent = [op.act0, op.act1].some((act) => act && act.fn !== 'prelu' && slopeOf(act) === null);
  const values = bent ? 4 * padded(cOut) * pixels : 0;
  if (byTiles(op)) {
    const products = (pixels * POSITIONS) / TILE_SIDE ** 2;
    return {
      multiplyAdds: products * (padded(cIn) + TILE_ENDS) * padded(cOut),
      values: values + padded(cIn) * pixels,
    };
  }
  const taps = Array.from({ length: upsample }, (_, i) => tapsOf(kernel, upsample, i).length);
  const depth = (taps.reduce((a, b) => a + b, 0) / upsample) ** 2 * padded(cIn);
  return { multiplyAdds: pixels * (depth + TILE_ENDS) * padded(cOut), values };
}

/**
 * Emits a convolution without tiles. If it enlarges its input, each input pixel yields `upsample` x
 * `upsample` output pixels. Each offset (`dy`, `dx`) among these pixels has its own weights and its
 * own task, which computes all output pixels at that offset.
 */
function emitRuns(
  op: ConvOp,
  constants: Constants,
  { parts, slopes, bias, epilogue }: Shared,
): Emission {
  const { reads, writes, kernel, weight, upsample } = op;
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
        const record = place.record('conv', {
          segments: segments.start,
          segmentsEnd: segments.end,
          weights,
          bias,
          slopes,
          y: pixelAt(y, dy, dx),
          yRow: y.row * upsample,
          yPixel: y.pixel * upsample,
          width: maps[0].width,
          channelBytes: y.pixel,
          epilogue: epilogue(place, { dy, dx, every: upsample }),
        });
        return { fn: 'conv', record, rows: maps[0].height };
      });
    },
  };
}

/**
 * Emits a convolution that uses tiles (see `winograd.ts`). Each tile's input window is transformed
 * into 4x4 values per channel. At each of these 16 positions, the values are multiplied by the
 * transformed filters, and the products are summed over the input channels. The `conv` record
 * describes this step as a 1x1 convolution whose pixels are the tiles.
 */
function emitTiles(
  op: ConvOp,
  constants: Constants,
  { parts, slopes, bias, epilogue }: Shared,
): Emission {
  const { reads, writes, weight, cIn, cOut } = op;
  const depth = parts.reduce((sum, part) => sum + padded(part), 0);
  const weights = constants.address(`${weight} ${parts} tiles`, () =>
    packTiles(constants.weight(weight), { cIn, cOut }, parts),
  );
  const zeros = constants.repeated(0, cOut);
  return {
    perThread: windowBytes(depth) + windowBytes(cOut),
    tasks: (place) => {
      const y = place.map(writes.y);
      const v = place.perThread;
      const m = v + windowBytes(depth);
      const stride = place.perThreadStride;
      const list = place.records(
        'part',
        reads.x.map((id) => {
          const map = place.map(id);
          return { x: pixelAt(map, -1, -1), row: map.row, pixel: map.pixel };
        }),
      );
      const segments = place.records('segment', [
        { base: v, row: stride, pixel: depth * 4, count: depth },
      ]);
      const conv = place.record('conv', {
        segments: segments.start,
        segmentsEnd: segments.end,
        weights,
        bias: zeros,
        slopes: 0,
        y: m,
        yRow: stride,
        yPixel: y.pixel,
        width: 0,
        channelBytes: y.pixel,
        epilogue: 0,
      });
      const record = place.record('winograd', {
        parts: list.start,
        partsEnd: list.end,
        conv,
        v,
        m,
        stride,
        depth: depth * 4,
        weights,
        bias,
        slopes,
        y: y.address,
        yRow: y.row,
        width: y.width,
        height: y.height,
        channelBytes: y.pixel,
        epilogue: epilogue(place, ALL_PIXELS),
      });
      return [{ fn: 'winograd', record, rows: Math.ceil(y.height / 2) }];
    },
  };
}

/**
 * Transforms 3x3 filters to 4x4 values (see `winograd.ts`) and packs them position by position. At
 * each position, the weights are in the order that `packWeights` uses.
 */
function packTiles(
  oihw: Float32Array,
  channels: Pick<ConvOp, 'cIn' | 'cOut'>,
  parts: readonly number[],
): Float32Array {
  const transformed = transformFilters(oihw);
  const layer = { ...channels, kernel: SIDE };
  const packed = Array.from({ length: POSITIONS }, (_, i) => {
    const tap = (position: number) => [{ distance: 0, positions: [position] }];
    return packWeights(transformed, layer, parts, tap(Math.floor(i / SIDE)), tap(i % SIDE));
  });
  const data = new Float32Array(POSITIONS * packed[0].length);
  packed.forEach((position, i) => {
    data.set(position, i * position.length);
  });
  return data;
}
