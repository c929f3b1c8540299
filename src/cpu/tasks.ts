/** What the CPU backend does for an op: rows of the module's functions, and steps of the host. */
import type { ValueId } from '../engine/compile/fused.ts';
import type { Value } from '../engine/oracle/interpreter.ts';
import type { Size } from '../geometry.ts';
import type { MapView } from './layout.ts';
import type { RowFunction } from './module.ts';
import type { Field, RecordName } from './records.ts';

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
  /** Given if the current image is part of an image whose other parts run at the same time. */
  readonly band?: Band | undefined;
}

/** A full-width part of an image. */
export interface Band {
  /** The part's own LR rows. Its other rows belong to its neighbours too. */
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

/** Values of one run that are not in the module's memory. */
export type Tables = Map<ValueId, Value>;

/** A step that the host runs. */
export type HostTask = (
  floats: Float32Array,
  run: {
    readonly means: Means;
    readonly tables: Tables;
    /** Lets other events run if it is time, and ends a job that was cancelled. */
    readonly pause: () => Promise<void> | undefined;
  },
) => void | Promise<void>;

export type Task = RowTask | HostTask;

/** The addresses of an op's values at one size of the image. */
export interface Places {
  map(id: ValueId): MapView;
  /** Address of a vector. */
  vector(id: ValueId): number;
}

/** An op's place in memory. */
export interface Place extends Places {
  /** Address of the bytes that `Emission.scratch` asked for. */
  readonly scratch: number;
  /** Address of the bytes that `Emission.perThread` asked for, for the first thread. */
  readonly perThread: number;
  /** Distance from there to the bytes of the next thread. */
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
  /** Bytes that the op needs besides its values, by the size of the map that it reads. */
  readonly scratch?: (size: Size) => number;
  /** Bytes that each thread needs while it runs the op. */
  readonly perThread?: number;
}
