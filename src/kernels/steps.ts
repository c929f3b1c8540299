/** Work in steps: at each `yield`, the caller may handle other events. */
export type Steps<T> = Generator<void, T, void>;

/** Calls `step` in each step. Engines optimise it better than a loop that contains a `yield`. */
export function* each(count: number, step: (i: number) => void): Steps<void> {
  for (let i = 0; i < count; i++) {
    yield;
    step(i);
  }
}

/** Runs all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Turns a function that works in steps into one that runs them all at once. */
export const atOnce =
  <A extends unknown[], T>(begin: (...args: A) => Steps<T>) =>
  (...args: A): T =>
    finish(begin(...args));

/** Milliseconds between pauses for other events: a job must be cancelled within 100 ms. */
const SLICE_MS = 20;

/**
 * A `pause` for `paced`: every `SLICE_MS`, it waits for a timer so that other events are handled.
 * @param check called after each wait; may throw
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

/** Runs the steps, and waits after a step if `pause` returns a promise. */
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
