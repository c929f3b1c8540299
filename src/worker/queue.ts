import { CrispenError } from '../errors.ts';

/** Runs one job at a time, in order. A queued or running job can be cancelled by its id. */
export class JobQueue {
  readonly #controllers = new Map<number, AbortController>();
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Runs `task` when all earlier jobs have ended. A job that is cancelled while it is queued ends
   * immediately with `ABORTED` and never starts. A running job ends when its task reacts to the
   * signal.
   */
  run<T>(id: number, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#controllers.set(id, controller);
    return new Promise<T>((resolve, reject) => {
      let started = false;
      controller.signal.addEventListener('abort', () => {
        if (started) return;
        this.#controllers.delete(id);
        reject(new CrispenError('ABORTED', 'The job was cancelled while it waited.'));
      });
      this.#last = this.#last.then(async () => {
        if (controller.signal.aborted) return;
        started = true;
        try {
          resolve(await task(controller.signal));
        } catch (error) {
          reject(error);
        } finally {
          this.#controllers.delete(id);
        }
      });
    });
  }

  /** Cancels a job, if it is in the queue or running. */
  cancel(id: number): void {
    this.#controllers.get(id)?.abort();
  }
}
