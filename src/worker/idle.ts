/**
 * Runs a task once, when no job has run for a while. If a job starts while the task is running, the
 * task is cancelled and tried again after that job.
 */
export class IdleTask {
  readonly #task: (signal: AbortSignal) => Promise<void>;
  readonly #idleMs: number;
  #jobs = 0;
  #isDone = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | null = null;

  /**
   * @param task may throw when it is cancelled; if it throws at any other time, it never runs again
   */
  constructor(task: (signal: AbortSignal) => Promise<void>, idleMs = 1000) {
    this.#task = task;
    this.#idleMs = idleMs;
  }

  /**
   * Runs a job. If it succeeds and no other job runs within the next `idleMs` milliseconds, the
   * idle task starts.
   */
  async during<T>(job: () => Promise<T>): Promise<T> {
    this.#jobs++;
    clearTimeout(this.#timer);
    this.#running?.abort();
    let isGood = false;
    try {
      const result = await job();
      isGood = true;
      return result;
    } finally {
      this.#jobs--;
      if (isGood && this.#jobs === 0 && !this.#isDone) {
        this.#timer = setTimeout(() => void this.#run(), this.#idleMs);
      }
    }
  }

  async #run(): Promise<void> {
    // An earlier run that was cancelled may not have ended yet, or may have succeeded nevertheless.
    if (this.#isDone || this.#running) return;
    const running = new AbortController();
    this.#running = running;
    try {
      await this.#task(running.signal);
      this.#isDone = true;
    } catch {
      this.#isDone = !running.signal.aborted;
    } finally {
      this.#running = null;
    }
  }
}
