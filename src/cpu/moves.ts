/** Emits ops that only copy numbers from one map to another, such as concatenation. */
import type { FusedOpOf } from '../engine/compile/fused.ts';
import { type MapView, pixelAt } from './layout.ts';
import type { Emission, HostTask, Place, RowTask } from './tasks.ts';

/**
 * Emits an op that only copies values to its output.
 * @param movesOf returns the copying tasks, given the op's first input `x` and its output `y`
 */
export const emitMoves = (
  { reads, writes }: Pick<FusedOpOf<'concat'>, 'reads' | 'writes'>,
  movesOf: (place: Place, x: MapView, y: MapView) => readonly RowTask[],
): Emission => ({
  tasks: (place) => {
    const y = place.map(writes.y);
    return [...clearPadding(y), ...movesOf(place, place.map(reads.inputs[0]), y)];
  },
});

export const emitConcat = (op: FusedOpOf<'concat'>): Emission =>
  emitMoves(op, (place, _, y) => {
    let first = 0;
    return op.reads.inputs.map((id) => {
      const part = place.map(id);
      const task = move(place, part, y, { channels: part.channels, to: first * 4 });
      first += part.channels;
      return task;
    });
  });

export const emitUnshuffle = (op: FusedOpOf<'pixelUnshuffle'>): Emission =>
  emitMoves(op, (place, x, y) =>
    Array.from({ length: op.scale ** 2 }, (_, phase) => {
      const [dy, dx] = [Math.floor(phase / op.scale), phase % op.scale];
      // This view of `x` contains only the pixel at (dy, dx) of each block of `scale` x `scale`
      // pixels.
      const part = {
        ...x,
        address: pixelAt(x, dy, dx),
        row: x.row * op.scale,
        pixel: x.pixel * op.scale,
      };
      return move(place, part, y, {
        channels: x.channels,
        to: phase * 4,
        toChannel: 4 * op.scale ** 2,
      });
    }),
  );

/**
 * Creates a task that copies channels from the map `from` to the map `y`. The description of `move`
 * in `records.ts` explains which numbers are copied to each pixel. The distances in `options`
 * are in bytes.
 */
export function move(
  place: Place,
  from: MapView,
  y: MapView,
  options: {
    readonly divide?: number;
    readonly phase?: number;
    readonly fromChannel?: number;
    /**
     * The offset of the first written channel within each pixel of `y`. `toChannel` is the distance
     * from one written channel to the next.
     */
    readonly to?: number;
    readonly toChannel?: number;
    readonly channels?: number;
  } = {},
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

/**
 * Returns a task that fills a map with zeros, or no task if the map has no padding channels.
 * Convolutions multiply padding channels by zero, and the products are zero only if the channels
 * contain finite values.
 */
function clearPadding(map: MapView): HostTask[] {
  if (map.channels % 4 === 0) return [];
  const start = map.address / 4;
  return [(floats) => void floats.fill(0, start, start + (map.height * map.row) / 4)];
}
