import {
  type FusedGraph,
  type FusedOp,
  lifetimes,
  readsOf,
  type ValueId,
  writesOf,
} from '../engine/compile/fused.ts';
import { planMemory } from '../engine/gpu/planner.ts';
import { internal } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { mapOf, mapSize as sizeOf } from '../graph/shape.ts';
import { type Emitters, POOLS } from './common.ts';
import { aligned, type Constants } from './constants.ts';
import { clearBorder, type MapSize, mapAt, mapBytes, pixelBytes } from './layout.ts';
import { type Field, type Fields, RECORDS, type RecordName } from './records.ts';
import type { Emission, HostTask, Place, Places, Task } from './tasks.ts';

/**
 * The plan for running a network on images of one size. It contains the steps in order. It also
 * contains records, which are the arguments for the functions of the WebAssembly module.
 */
export interface Program {
  readonly size: Size;
  readonly steps: readonly Step[];
  /**
   * The addresses of the values. After the run, only the output and the values that `Compiled` was
   * told to keep are intact, because ops can overwrite values that no later op reads.
   */
  readonly places: Places;
  /** The address of the records. `words` contains their data. */
  readonly records: number;
  readonly words: Uint32Array;
  /** The size of the program's memory in bytes, including the constants. */
  readonly bytes: number;
}

/** An op with its tasks. */
export interface Step {
  readonly op: FusedOp;
  readonly tasks: readonly Task[];
}

/** A network with its constants. It can create a `Program` for any image size. */
export class Compiled {
  readonly fused: FusedGraph;
  /**
   * Whether some ops run in plain TypeScript loops, which take about a hundred times as long as the
   * functions of the WebAssembly module.
   */
  readonly slow: boolean;
  /** The first address after the constants. */
  readonly start: number;
  readonly #emissions: readonly Emission[];
  readonly #keep: ReadonlySet<ValueId>;
  readonly #threads: number;

  /**
   * @param emitters the emitters for the network's ops
   * @param keep the values that are read after the run, in addition to the output
   * @param threads the number of threads that compute rows at the same time
   */
  constructor(
    fused: FusedGraph,
    emitters: Emitters,
    constants: Constants,
    keep: ReadonlySet<ValueId>,
    threads: number,
  ) {
    this.fused = fused;
    this.slow = fused.ops.some((op) => emitters.isSlow(op));
    this.#emissions = fused.ops.map((op) => emitters.of(op)(op, constants, fused.graph));
    this.start = constants.end;
    this.#keep = keep;
    this.#threads = threads;
  }

  /** The number of ops up to and including the last pooling op, or 0 if there is none. */
  get poolingOps(): number {
    return this.fused.ops.findLastIndex(({ op }) => POOLS.has(op)) + 1;
  }

  /**
   * Plans the steps for LR images of the given size, and the memory layout of values and function
   * arguments.
   * @param count the number of ops to include, starting with the first
   */
  program(size: Size, count: number): Program {
    const { graph, inputs } = this.fused;
    const ops = this.fused.ops.slice(0, count);
    const mapSize = (id: ValueId): MapSize => {
      const { shape, name } = graph.nodes[id];
      const map = mapOf(shape, name);
      return { channels: map.channels, ...sizeOf(map, size) };
    };
    const bytesOf = (id: ValueId): number => {
      const { shape } = graph.nodes[id];
      if (shape.kind === 'map') return mapBytes(mapSize(id));
      return shape.kind === 'vector' ? pixelBytes(shape.length) : 0;
    };
    const lives = [...lifetimes({ graph, ops, inputs }, this.#keep)];
    const scratch = ops.map((op, i) => {
      const bytes = this.#emissions[i].scratch?.(mapSize(readsOf(op)[0])) ?? 0;
      return { bytes: aligned(bytes), first: i, last: i };
    });
    const values = lives.map(([id, life]) => ({ bytes: aligned(bytesOf(id)), ...life }));
    const { slotOf, slotBytes } = planMemory([...values, ...scratch]);
    let end = this.start;
    const starts = slotBytes.map((bytes) => {
      const start = end;
      end += bytes;
      return start;
    });
    // All ops share the same per-thread memory, so it stays in the cache.
    const perThread = end;
    const perThreadStride = Math.max(0, ...this.#emissions.map(({ perThread }) => perThread ?? 0));
    end += perThreadStride * this.#threads;
    const startOf = (index: number): number => starts[slotOf[index]] ?? 0;
    const addresses = new Map(lives.map(([id], i) => [id, startOf(i)]));
    const addressOf = (id: ValueId): number => {
      const address = addresses.get(id);
      if (address === undefined) throw internal(`value ${id} has no place`);
      return address;
    };
    const places: Places = { map: (id) => mapAt(addressOf(id), mapSize(id)), vector: addressOf };
    const records = end;
    const words: number[] = [];
    const write: Place['records'] = (name, list) => {
      const start = records + words.length * 4;
      for (const fields of list) words.push(...wordsOf(name, fields));
      return { start, end: records + words.length * 4 };
    };
    const place = (op: number): Place => ({
      ...places,
      scratch: startOf(lives.length + op),
      perThread,
      perThreadStride,
      record: (name, fields) => write(name, [fields]).start,
      records: write,
    });
    const steps = ops.map((op, i): Step => {
      const borders = writesOf(op)
        .filter((id) => graph.nodes[id].shape.kind === 'map')
        .map((id): HostTask => {
          const map = places.map(id);
          return (floats) => clearBorder(floats, map);
        });
      return { op, tasks: [...borders, ...this.#emissions[i].tasks(place(i))] };
    });
    return {
      size,
      steps,
      places,
      records,
      words: Uint32Array.from(words),
      bytes: records + words.length * 4,
    };
  }
}

/** Returns the words of a record. All fields are integers except `slope1`, which is an f32. */
function wordsOf<R extends RecordName>(name: R, fields: Fields<R>): number[] {
  return RECORDS[name].map((field) => {
    const value = fields[field as Field<R>];
    return field === 'slope1' ? new Uint32Array(Float32Array.of(value).buffer)[0] : value;
  });
}
