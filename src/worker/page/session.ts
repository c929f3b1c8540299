import { type Remote, wrap } from 'comlink';
import { CrispenError } from '../../errors.ts';
import type {
  ProgressEvent,
  QuestionEvent,
  Result,
  UpscaleProgress,
  WorkerApi,
  WorkerConfig,
} from '../protocol.ts';

/** Who hears of a job, and is asked about it. */
export interface JobListener {
  readonly onProgress?: ((progress: UpscaleProgress) => void) | undefined;
  readonly confirm?: ((milliseconds: number) => boolean | Promise<boolean>) | undefined;
}

/**
 * One worker from its start to its end. Comlink leaves calls pending for ever when a worker dies;
 * here they are rejected.
 */
export class Session {
  readonly #worker: Worker;
  readonly #remote: Remote<WorkerApi>;
  readonly #pending = new Set<(error: CrispenError) => void>();
  readonly #listeners = new Map<number, JobListener>();
  readonly #watch = new AbortController();
  readonly #onEnd: () => void;

  /** @param onEnd called once, when the worker has ended for whatever reason */
  constructor(worker: Worker, config: Omit<WorkerConfig, 'lifeline'>, onEnd: () => void) {
    this.#worker = worker;
    this.#onEnd = onEnd;
    this.#remote = wrap<WorkerApi>(worker);
    worker.addEventListener('error', (event) => {
      this.end(workerFailed(event.message || 'It could not be loaded.'));
    });
    worker.addEventListener('messageerror', () => {
      this.end(workerFailed('A message could not be read.'));
    });
    worker.addEventListener(
      'message',
      ({ data }: MessageEvent<Partial<ProgressEvent & QuestionEvent>>) => {
        const { job, progress, question } = data;
        const listener = job && this.#listeners.get(job);
        if (!listener) return;
        if (progress) listener.onProgress?.(progress);
        if (question !== undefined) void this.#ask(job, listener, question);
      },
    );
    const lifeline = 'locks' in navigator ? `crispen-worker-${Math.random()}` : null;
    const configured = this.#remote.configure({ ...config, lifeline });
    if (lifeline !== null) void this.#watchOver(configured, lifeline);
  }

  /**
   * Sends a call and waits for its result.
   * @throws CrispenError what the worker answered, or what the session ended with
   */
  call<T>(send: (remote: Remote<WorkerApi>) => Promise<Result<T>>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#pending.add(reject);
      send(this.#remote)
        .then((result) => {
          if (result.ok) resolve(result.value);
          else reject(CrispenError.deserialize(result.error));
        })
        .catch((error) => reject(CrispenError.from(error)))
        .finally(() => this.#pending.delete(reject));
    });
  }

  listen(id: number, listener: JobListener): void {
    this.#listeners.set(id, listener);
  }

  unlisten(id: number): void {
    this.#listeners.delete(id);
  }

  cancel(id: number): void {
    void this.#remote.cancel(id);
  }

  /** What the page answers; no answer that is an error lets a job begin. */
  async #ask(id: number, { confirm }: JobListener, milliseconds: number): Promise<void> {
    let yes = true;
    try {
      yes = (await confirm?.(milliseconds)) !== false;
    } catch (error) {
      console.error(error);
      yes = false;
    }
    void this.#remote.answer(id, yes);
  }

  setVisible(visible: boolean): void {
    void this.#remote.setVisible(visible);
  }

  /** Ends the worker and rejects everything that is pending; further calls have no effect. */
  end(error: CrispenError): void {
    if (this.#watch.signal.aborted) return;
    this.#watch.abort();
    this.#worker.terminate();
    this.#listeners.clear();
    this.#onEnd();
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }

  /**
   * No event tells of a worker that was terminated, closed itself or was killed for its memory. But
   * the lock that it holds is let go then, and the page, which waits for it, gets it.
   */
  async #watchOver(configured: Promise<void>, lifeline: string): Promise<void> {
    try {
      await configured;
      await navigator.locks.request(lifeline, { signal: this.#watch.signal }, () => {
        this.end(workerFailed('It ended unexpectedly.'));
      });
    } catch {
      // Ended by `end`, or a context without locks: then errors are all that tells of a death.
    }
  }
}

function workerFailed(detail: string): CrispenError {
  return new CrispenError('WORKER_FAILED', `The worker failed. ${detail}`, {
    hint: 'Try again: the next image starts a new worker. A smaller image needs less memory.',
  });
}
