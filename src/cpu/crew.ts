import { CrispenError } from '../errors.ts';
import { type Seat, WORDS } from './band.ts';
import type { Functions, RowFunction } from './module.ts';
import { RECORDS } from './records.ts';
import { onThisThread, type RunRows } from './runner.ts';

/**
 * The names of all records. Each function of the WebAssembly module has the same name as the record
 * that it reads, so the list contains the names of all functions. Threads refer to a function by
 * its index in this list. Some records have no function.
 */
const FUNCTIONS = Object.keys(RECORDS) as RowFunction[];

/** A worker thread that calls `serveBands` with each `Seat` that `send` passes to it. */
export interface BandThread {
  send(seat: Seat): void;
  terminate(): void;
}

/**
 * Each task is divided into this many shares per thread. With more shares, fast threads spend less
 * time waiting for slow threads.
 */
const SHARES = 16;
/** Before the host sleeps, it checks this many times whether the other threads have finished. */
const LOOKS = 20_000;

/**
 * Threads that share a model's memory and divide the rows of each task among themselves. One of
 * them is the host, which is the thread that runs the model. Each thread takes the next free rows.
 * If a thread starts late or not at all, the task takes longer but still finishes. Rows depend only
 * on the task's inputs, so the results are identical to those of a single thread.
 */
export class Crew {
  /** The requested number of threads, including the host. */
  readonly threads: number;
  readonly #workers: readonly BandThread[];
  readonly #control = new Int32Array(
    new SharedArrayBuffer(Object.keys(WORDS).length * Int32Array.BYTES_PER_ELEMENT),
  );
  #memory: WebAssembly.Memory | null = null;

  /** @param start creates a thread; it is called once for each thread except the host */
  constructor(threads: number, start: () => BandThread) {
    this.threads = threads;
    this.#control[WORDS.gate] = -1;
    this.#workers = Array.from({ length: threads - 1 }, start);
  }

  /**
   * Returns a function that computes a range of a task's rows with all threads. The task's record
   * and data must be in `memory`. The returned function is valid until the next call to `serve`.
   */
  serve(module: WebAssembly.Module, memory: WebAssembly.Memory, functions: Functions): RunRows {
    if (this.#workers.length === 0) return onThisThread(functions);
    if (memory !== this.#memory) this.#seat(module, memory);
    return (task, from, to) => this.#run(functions, task.fn, task.record, from, to);
  }

  /** Terminates the threads. The crew cannot be used again. */
  close(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #seat(module: WebAssembly.Module, memory: WebAssembly.Memory): void {
    const control = this.#control;
    const epoch = Atomics.add(control, WORDS.epoch, 1) + 1;
    this.#wake();
    const seat = { control, words: WORDS, epoch, module, memory, functions: FUNCTIONS };
    this.#workers.forEach((worker, i) => {
      worker.send({ ...seat, thread: i + 1 });
    });
    this.#memory = memory;
  }

  #run(functions: Functions, fn: RowFunction, record: number, from: number, to: number): void {
    const control = this.#control;
    const share = Math.max(1, Math.floor((to - from) / (this.threads * SHARES)));
    Atomics.store(control, WORDS.fault, 0);
    Atomics.store(control, WORDS.fn, FUNCTIONS.indexOf(fn));
    Atomics.store(control, WORDS.record, record);
    Atomics.store(control, WORDS.next, from);
    Atomics.store(control, WORDS.end, to);
    Atomics.store(control, WORDS.share, share);
    Atomics.store(control, WORDS.gate, 0);
    this.#wake();
    try {
      for (;;) {
        const row = Atomics.add(control, WORDS.next, share);
        if (row >= to) break;
        functions[fn](record, row, Math.min(to, row + share));
      }
    } finally {
      this.#closeGate();
    }
    if (Atomics.load(control, WORDS.fault) !== 0) {
      throw new CrispenError('INTERNAL', 'A thread of the CPU backend failed.');
    }
  }

  /**
   * Waits until the other threads have finished their rows, and then closes the gate to threads
   * that arrive late.
   */
  #closeGate(): void {
    const control = this.#control;
    for (;;) {
      // The last rows usually take microseconds, so spinning is faster than sleeping.
      for (let i = 0; i < LOOKS && Atomics.load(control, WORDS.gate) !== 0; i++);
      const inside = Atomics.compareExchange(control, WORDS.gate, 0, -1);
      if (inside === 0) return;
      Atomics.wait(control, WORDS.gate, inside);
    }
  }

  #wake(): void {
    Atomics.add(this.#control, WORDS.turn, 1);
    Atomics.notify(this.#control, WORDS.turn);
  }
}
