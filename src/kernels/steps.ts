/** Work that is divided into steps. At each `yield`, the caller can handle other events. */
export type Steps<T> = Generator<void, T, void>;

/**
 * Calls `step` with each `i` from 0 to `count - 1`, and yields before each call. JS engines
 * optimise a function such as `step` better than a loop body that contains a `yield`.
 */
export function* each(count: number, step: (i: number) => void): Steps<void> {
  for (let i = 0; i < count; i++) {
    yield;
    step(i);
  }
}

/** Runs all steps without a pause. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Creates a function that runs all steps of `begin` without a pause. */
export const atOnce =
  <A extends unknown[], T>(begin: (...args: A) => Steps<T>) =>
  (...args: A): T =>
    finish(begin(...args));

/**
 * After running for this many milliseconds, a job pauses, so that other events can be handled. This
 * time is short, because it must be possible to cancel a job within 100 ms.
 */
const SLICE_MS = 20;

/**
 * Creates a `pause` function for `paced`. Every `SLICE_MS` milliseconds, the function waits for a
 * timer, so that other events can be handled.
 * @param check is called after each wait and may throw
 */
export function timerPause(check: () => void): () => Promise<void> | undefined {
  let since = performance.now();
  const rest = async () => {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    check();
    since = performance.now();
  };
  return () => (performance.now() - since < SLICE_MS ? undefined : rest());
}

/** Runs the steps. Calls `pause` after each step. If `pause` returns a promise, awaits it. */
export async function paced<T>(
  steps: Steps<T>,
  pause: () => Promise<void> | undefined,
): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    const pausing = pause();
    if (pausing) await pausing;
  }
}
