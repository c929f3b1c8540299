/** Work in steps: the caller may turn to other events at each `yield`. */
export type Steps<T> = Generator<void, T, void>;

/** Each call is a step. Engines optimise the function better than a loop with a `yield` in it. */
export function* each(count: number, step: (i: number) => void): Steps<void> {
  for (let i = 0; i < count; i++) {
    yield;
    step(i);
  }
}

/** Does all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The function that does all steps at once. */
export const atOnce =
  <A extends unknown[], T>(begin: (...args: A) => Steps<T>) =>
  (...args: A): T =>
    finish(begin(...args));

/** Milliseconds between turns of other events: a job is cancelled within 100. */
const SLICE_MS = 20;

/**
 * A `pause` for `paced`: now and then a timer's turn for other events.
 * @param check is called after each and may throw
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

/** Does the steps, and waits between two of them whenever `pause` returns a promise. */
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
