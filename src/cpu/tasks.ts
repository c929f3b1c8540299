/**
 * Defines the tasks that make up an op on the CPU backend. A `RowTask` computes rows in the
 * WebAssembly module, and a `HostTask` runs in JavaScript on the host.
 */
import type { ValueId } from '../engine/compile/fused.ts';
import type { Value } from '../engine/oracle/interpreter.ts';
import type { MapSize, MapView } from './layout.ts';
import type { RowFunction } from './module.ts';
import type { Fields, RecordName } from './records.ts';

/**
 * A task that calls a function of the WebAssembly module to compute a number of rows. The rows can
 * be computed concurrently and in any order.
 */
export interface RowTask {
  readonly fn: RowFunction;
  readonly record: number;
  readonly rows: number;
}

export type Vector = Float32Array<ArrayBuffer>;

/**
 * Each channel's mean over an image. `given` and `found` are keyed by the id of the value that a
 * pooling op writes.
 */
export interface Means {
  /**
   * Set if the current image is a tile of a larger image. These means are used instead of the
   * tile's own. They are the means of the larger image or estimates of them.
   */
  readonly given?: ReadonlyMap<ValueId, Vector> | undefined;
  /** Receives the computed means. */
  readonly found?: Map<ValueId, Vector> | undefined;
  /**
   * Set if the current image is a part of a larger image whose other parts are processed at the
   * same time.
   */
  readonly band?: Band | undefined;
}

/** A full-width part of an image. */
export interface Band {
  /**
   * The range of this part's LR rows that count towards the means. The part's other rows overlap a
   * neighbouring part and count towards the means as rows of that part.
   */
  readonly from: number;
  readonly to: number;
  /**
   * Returns the means over all parts after all parts have reached the pooling op that writes the
   * value `id`. `sums` contains the sums of this part's rows.
   */
  readonly combine: (id: ValueId, sums: RowSums) => Promise<Vector>;
}

/** The sum of each channel in each row of a map, as [rows][`stride`]. */
export interface RowSums {
  readonly data: Float32Array;
  readonly stride: number;
  /** The number of pixels in a row. */
  readonly width: number;
  readonly channels: number;
}

/**
 * Computes a map's channel means from the sums of its rows. `parts` is ordered from top to bottom.
 */
export function meansOf(parts: readonly RowSums[]): Vector {
  const [{ stride, width, channels }] = parts;
  const pixels = parts.reduce((sum, { data }) => sum + (data.length / stride) * width, 0);
  return Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (const { data } of parts) for (let i = c; i < data.length; i += stride) sum += data[i];
    return sum / pixels;
  });
}

/**
 * Values that a network computes and that are neither feature maps nor vectors, such as attention
 * weights. They are JavaScript objects outside the WebAssembly module's memory.
 */
export type Tables = Map<ValueId, Value>;

/**
 * Yields to the event loop if enough time has passed since it last did so. Throws if the job was
 * cancelled.
 */
export type Pause = () => Promise<void> | undefined;

/** A task that runs in JavaScript on the host. `floats` is the memory of the WebAssembly module. */
export type HostTask = (
  floats: Float32Array,
  run: {
    readonly means: Means;
    readonly tables: Tables;
    readonly pause: Pause;
  },
) => void | Promise<void>;

export type Task = RowTask | HostTask;

/** The addresses of a network's values for one image size. */
export interface Places {
  map(id: ValueId): MapView;
  /** Returns the address of a vector. */
  vector(id: ValueId): number;
}

/** The location of an op's data in memory. */
export interface Place extends Places {
  /** The address of the memory that `Emission.scratch` requested. */
  readonly scratch: number;
  /** The address of the first thread's working memory; see `Emission.perThread`. */
  readonly perThread: number;
  /** The distance in bytes from one thread's working memory to the next thread's. */
  readonly perThreadStride: number;
  /** Writes a record. @returns its address */
  record<R extends RecordName>(name: R, fields: Fields<R>): number;
  /** Writes consecutive records of one kind. */
  records<R extends RecordName>(
    name: R,
    list: readonly Fields<R>[],
  ): { readonly start: number; readonly end: number };
}

/** An op with its constants, ready to be placed in memory. */
export interface Emission {
  readonly tasks: (place: Place) => readonly Task[];
  /**
   * Returns the number of bytes that the op needs in addition to its values, given the size of its
   * input map.
   */
  readonly scratch?: (size: MapSize) => number;
  /** The number of bytes that each thread needs while it runs the op. */
  readonly perThread?: number;
}
