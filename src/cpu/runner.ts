import type { RunOptions } from '../engine/types.ts';
import { throwIfAborted } from '../errors.ts';
import type { Functions, RowFunction } from './module.ts';
import type { Program, Step } from './program.ts';
import type { HostTask, Means, Pause, RowTask, Tables } from './tasks.ts';

/**
 * In each run, the first call to a function of the WebAssembly module does this many multiply-adds
 * per thread. They take a few ms on a slow core.
 */
const FIRST_CALL = 2e7;
/**
 * The maximum number of multiply-adds in a call, as a multiple of the number in the first call.
 * Calls become larger until they take about `CALL_MS`.
 */
const GROWTH = 16;
/**
 * The target duration in milliseconds of a call to one of the module's functions. Shorter calls
 * would waste more time, because the threads wait for each other at the end of each call.
 */
const CALL_MS = 8;
/**
 * After this many milliseconds, a run pauses to let the thread handle other events, such as a
 * request to cancel the job. The job must end less than 100 ms after such a request.
 */
const SLICE_MS = 20;

/**
 * A function that computes a range of a task's rows, including row `from` but not row `to`. It can
 * use several threads.
 */
export type RunRows = (task: RowTask, from: number, to: number) => void;

export const onThisThread =
  (functions: Functions): RunRows =>
  ({ fn, record }, from, to) =>
    functions[fn](record, from, to);

/**
 * Lets the thread handle other events. Waits for a message instead of a timer, because browsers
 * delay repeated timers by at least four milliseconds.
 */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Creates the `Pause` of a job that `signal` can cancel. */
export function pausing(signal: RunChoice['signal']): Pause {
  let since = performance.now();
  const rest = async () => {
    await breathe();
    since = performance.now();
    throwIfAborted(signal);
  };
  return () => (performance.now() - since < SLICE_MS ? undefined : rest());
}

/** The options that the caller can choose for a run. */
export interface RunChoice extends Pick<RunOptions, 'signal'> {
  readonly means?: Means;
  /**
   * The `Map` in which the run stores values that are neither feature maps nor vectors, such as
   * attention weights. By default, the run creates one.
   */
  readonly tables?: Tables;
  readonly onWork?: ((multiplyAdds: number) => void) | undefined;
  /** Called after each step. The arguments are the step and its duration in milliseconds. */
  readonly onStep?: ((step: Step, milliseconds: number) => void) | undefined;
}

interface Run extends RunChoice {
  readonly means: Means;
  readonly tables: Tables;
  readonly pause: Pause;
  readonly floats: Float32Array;
  readonly rows: RunRows;
  readonly threads: number;
}

/** Runs a program whose inputs are in memory. @throws CrispenError `ABORTED` */
export async function runProgram(program: Program, run: Run): Promise<void> {
  const pixels = program.size.width * program.size.height;
  const first = FIRST_CALL * run.threads;
  /** For each function, the number of multiply-adds that its next call should compute. */
  const sizes = new Map<RowFunction, number>();
  for (const step of program.steps) {
    const started = performance.now();
    const work = step.op.multiplyAdds * pixels;
    const rowsInAll = step.tasks.reduce((sum, task) => sum + (isRowTask(task) ? task.rows : 0), 0);
    // Ops that only move numbers have no multiply-adds, but they also take time. The work of a row
    // is therefore estimated as at least 100 multiply-adds for each column of the input.
    const perRow = Math.max(work / Math.max(1, rowsInAll), 100 * program.size.width);
    for (const task of step.tasks) {
      if (!isRowTask(task)) {
        await task(run.floats, run);
        continue;
      }
      for (let from = 0; from < task.rows; ) {
        const size = sizes.get(task.fn) ?? first;
        const to = Math.min(task.rows, from + Math.max(1, Math.floor(size / perRow)));
        const called = performance.now();
        run.rows(task, from, to);
        const faster = CALL_MS / Math.max(performance.now() - called, CALL_MS / GROWTH);
        sizes.set(task.fn, Math.min((to - from) * perRow * faster, first * GROWTH));
        run.onWork?.((work * (to - from)) / rowsInAll);
        await run.pause();
        from = to;
      }
    }
    if (rowsInAll === 0) {
      run.onWork?.(work);
      await run.pause();
    }
    run.onStep?.(step, performance.now() - started);
  }
}

const isRowTask = (task: RowTask | HostTask): task is RowTask => typeof task !== 'function';
