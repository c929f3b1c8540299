/** The work of the CPU backend for an op: rows of the module's functions, and steps of the host. */
import type { ValueId } from '../engine/compile/fused.ts';
import type { Value } from '../engine/oracle/interpreter.ts';
import type { Size } from '../geometry.ts';
import type { MapView } from './layout.ts';
import type { RowFunction } from './module.ts';
import type { Field, RecordName } from './records.ts';

/** Rows of one function of the module. They can run in any order and concurrently. */
export interface RowTask {
  readonly fn: RowFunction;
  readonly record: number;
  readonly rows: number;
}

/** Means of each channel over an image, by the id of the value that a pooling writes. */
export interface Means {
  /**
   * The means to use instead of those of the current image or tile. They are the means of the whole
   * image that contains it.
   */
  readonly given?: ReadonlyMap<ValueId, Float32Array<ArrayBuffer>> | undefined;
  /** Receives the computed means. */
  readonly found?: Map<ValueId, Float32Array<ArrayBuffer>> | undefined;
  /** Given if the current image is a part of an image and the other parts run at the same time. */
  readonly band?: Band | undefined;
}

/** A full-width part of an image. */
export interface Band {
  /** The part's own LR rows. Its other rows also belong to its neighbours. */
  readonly from: number;
  readonly to: number;
  /** Returns the means over all parts after all parts have reached this pooling. */
  readonly combine: (id: ValueId, sums: RowSums) => Promise<Float32Array<ArrayBuffer>>;
}

/** Sums of each channel over rows of a map, as [rows][`stride`]. */
export interface RowSums {
  readonly data: Float32Array;
  readonly stride: number;
  /** The number of pixels in a row. */
  readonly width: number;
  readonly channels: number;
}

/** Computes the means of a map's channels from the sums of its rows, from top to bottom. */
export function meansOf(parts: readonly RowSums[]): Float32Array<ArrayBuffer> {
  const [{ stride, width, channels }] = parts;
  const pixels = parts.reduce((sum, { data }) => sum + (data.length / stride) * width, 0);
  return Float32Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (const { data } of parts) for (let i = c; i < data.length; i += stride) sum += data[i];
    return sum / pixels;
  });
}

/** The values of one run that are not in the module's memory. */
export type Tables = Map<ValueId, Value>;

/** A step that runs on the host. */
export type HostTask = (
  floats: Float32Array,
  run: {
    readonly means: Means;
    readonly tables: Tables;
    /** Lets other events run if it is time for that. Ends a job that was cancelled. */
    readonly pause: () => Promise<void> | undefined;
  },
) => void | Promise<void>;

export type Task = RowTask | HostTask;

/** The addresses of an op's values at one size of the image. */
export interface Places {
  map(id: ValueId): MapView;
  /** Returns the address of a vector. */
  vector(id: ValueId): number;
}

/** The location of an op's data in memory. */
export interface Place extends Places {
  /** The address of the bytes that `Emission.scratch` requested. */
  readonly scratch: number;
  /** The address of the bytes that `Emission.perThread` requested, for the first thread. */
  readonly perThread: number;
  /** The distance from `perThread` to the bytes of the next thread. */
  readonly perThreadStride: number;
  /** Writes a record. @returns its address */
  record<R extends RecordName>(name: R, fields: Readonly<Record<Field<R>, number>>): number;
  /** Writes consecutive records of one kind. */
  records<R extends RecordName>(
    name: R,
    list: readonly Readonly<Record<Field<R>, number>>[],
  ): { readonly start: number; readonly end: number };
}

/** An op with its constants, ready to be placed in memory. */
export interface Emission {
  readonly tasks: (place: Place) => readonly Task[];
  /**
   * The bytes that the op needs in addition to its values, for the size of the map that it reads.
   */
  readonly scratch?: (size: Size) => number;
  /** The bytes that each thread needs while it runs the op. */
  readonly perThread?: number;
}
