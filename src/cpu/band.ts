/**
 * The indices of the words in the control block of a crew (see `crew.ts`). Threads access these
 * words atomically.
 */
export const WORDS = {
  /**
   * The number of worker threads that have passed the gate and are working on the task. -1 means
   * that the gate is closed, because there is no task.
   */
  gate: 0,
  /**
   * A counter that increases with each task and each change of model. Threads sleep until it
   * changes.
   */
  turn: 1,
  /** A number that changes when the crew switches to another model. */
  epoch: 2,
  /** A flag that is set to 1 when a function of the WebAssembly module fails in a thread. */
  fault: 3,
  /**
   * The task: the index of the function to call, the address of its record, the first row that no
   * thread has taken, the row after the task's last row, and the number of rows that a thread takes
   * at a time.
   */
  fn: 4,
  record: 5,
  next: 6,
  end: 7,
  share: 8,
} as const;

/** The data that a thread needs to run one model's tasks. */
export interface Seat {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly words: typeof WORDS;
  readonly epoch: number;
  readonly module: WebAssembly.Module;
  /** The memory that the threads share. */
  readonly memory: WebAssembly.Memory;
  /** The thread's number. The host, which publishes the tasks, is number 0. */
  readonly thread: number;
  /** The names of the module's functions. */
  readonly functions: readonly string[];
}

/**
 * Does the work of one thread. The function computes rows for each task that the crew's host
 * publishes, and returns when the host switches to another model. It blocks the thread until then.
 *
 * The function uses nothing outside its own body, because a Node worker receives only the source
 * text of the function.
 */
export function serveBands({
  control,
  words,
  epoch,
  module,
  memory,
  thread,
  functions,
}: Seat): void {
  const { gate, turn, fn, record, next, end, share } = words;
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  (exports.thread as WebAssembly.Global).value = thread;
  const all = exports as Record<string, (record: number, from: number, to: number) => void>;
  const isOver = () => Atomics.load(control, words.epoch) !== epoch;
  const work = () => {
    const [rows, size] = [Atomics.load(control, end), Atomics.load(control, share)];
    const run = all[functions[Atomics.load(control, fn)]];
    for (;;) {
      const from = Atomics.add(control, next, size);
      if (from >= rows) return;
      run(Atomics.load(control, record), from, Math.min(rows, from + size));
    }
  };
  let seen = -1;
  for (;;) {
    // The next task usually arrives within microseconds, so spinning is faster than sleeping.
    for (let i = 0; i < 20_000 && Atomics.load(control, turn) === seen; i++);
    Atomics.wait(control, turn, seen);
    seen = Atomics.load(control, turn);
    if (isOver()) return;
    let inside = Atomics.load(control, gate);
    while (inside >= 0) {
      const found = Atomics.compareExchange(control, gate, inside, inside + 1);
      if (found === inside) break;
      inside = found;
    }
    if (inside < 0) continue;
    // `gate` now counts this thread, so the host does not change the task or the model until this
    // thread has finished.
    try {
      if (!isOver()) work();
    } catch {
      Atomics.store(control, words.fault, 1);
    } finally {
      Atomics.sub(control, gate, 1);
      Atomics.notify(control, gate);
    }
  }
}
