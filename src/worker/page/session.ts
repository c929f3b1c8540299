import { type Remote, wrap } from 'comlink';
import { CrispenError } from '../../errors.ts';
import type {
  ProgressEvent,
  QuestionEvent,
  Result,
  ThreadEvent,
  UpscaleProgress,
  WorkerApi,
  WorkerConfig,
} from '../protocol.ts';

/** The time within which an idle worker must answer, in milliseconds. */
const ANSWER_MS = 10_000;

/** A job's callbacks. `confirm` decides whether the job starts. `onProgress` receives progress. */
export interface JobListener {
  readonly onProgress?: ((progress: UpscaleProgress) => void) | undefined;
  readonly confirm?: ((milliseconds: number) => boolean | Promise<boolean>) | undefined;
}

/**
 * Manages one worker from its start to its end. If a worker dies, Comlink leaves pending calls
 * unsettled forever. This class rejects them.
 */
export class WorkerSession {
  /** The worker, and the threads that the page started because the worker could not. */
  readonly #workers: Worker[];
  readonly #remote: Remote<WorkerApi>;
  readonly #pending = new Set<(error: CrispenError) => void>();
  readonly #listeners = new Map<number, JobListener>();
  readonly #watch = new AbortController();
  /** The reason why the session ended; null while it is running. */
  #end: CrispenError | null = null;
  #isConfigured = false;
  #greeting: Promise<null> | null = null;
  readonly #start: () => Worker;
  readonly #onEnd: () => void;

  /**
   * @param start creates a worker
   * @param onEnd called once when the worker has ended, for any reason
   */
  constructor(start: () => Worker, config: Omit<WorkerConfig, 'lifeline'>, onEnd: () => void) {
    const worker = start();
    this.#workers = [worker];
    this.#start = start;
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
      ({ data }: MessageEvent<Partial<ProgressEvent & QuestionEvent & ThreadEvent>>) => {
        const { job, progress, question, thread } = data;
        if (thread) this.#startThread(thread);
        const listener = job && this.#listeners.get(job);
        if (!listener) return;
        if (progress) listener.onProgress?.(progress);
        if (question !== undefined) void this.#ask(job, listener, question);
      },
    );
    const lifeline = 'locks' in navigator ? `crispen-worker-${Math.random()}` : null;
    const configured = this.#remote.configure({ ...config, lifeline });
    void this.#watchOver(configured, lifeline);
  }

  /**
   * Sends a call and waits for its result.
   * @throws CrispenError the worker's error, or the reason why the session ended
   */
  call<T>(send: (remote: Remote<WorkerApi>) => Promise<Result<T>>): Promise<T> {
    if (this.#end) return Promise.reject(this.#end);
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

  /**
   * Checks that the worker is alive. An idle worker is pinged, because it might have died without
   * an event. A worker that is busy or starting needs no ping: if it dies, its pending calls are
   * rejected.
   * @throws CrispenError the reason why the session ended
   */
  async alive(): Promise<void> {
    if (!this.#greeting) {
      if (!this.#isConfigured || this.#pending.size > 0) return;
      const late = setTimeout(() => this.end(workerFailed('It does not answer.')), ANSWER_MS);
      this.#greeting = this.call(async (remote) => remote.ping()).finally(() => {
        clearTimeout(late);
        this.#greeting = null;
      });
    }
    await this.#greeting;
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

  /**
   * Starts a thread for the worker. Errors are ignored here, because the worker detects a failed
   * thread itself: the thread's first message does not arrive within a few seconds.
   */
  #startThread(port: MessagePort): void {
    const worker = this.#start();
    this.#workers.push(worker);
    worker.addEventListener('error', (event) => event.preventDefault());
    worker.postMessage({ thread: port } satisfies ThreadEvent, [port]);
  }

  /**
   * Calls `confirm` to ask whether a job should start, and sends the answer to the worker. If
   * `confirm` throws, the job does not start.
   */
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

  /** Ends the worker and rejects all pending calls. Calling this method again has no effect. */
  end(error: CrispenError): void {
    if (this.#end) return;
    this.#end = error;
    this.#watch.abort();
    for (const worker of this.#workers) worker.terminate();
    this.#listeners.clear();
    this.#onEnd();
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }

  /**
   * Waits until the worker is configured. Then requests the lock that the worker holds, in order to
   * detect when the worker dies. There is no event when a worker is terminated, closes itself or is
   * killed for using too much memory. However, the browser then releases the worker's lock, and the
   * page acquires it.
   */
  async #watchOver(configured: Promise<void>, lifeline: string | null): Promise<void> {
    try {
      await configured;
      this.#isConfigured = true;
      if (lifeline === null) return;
      await navigator.locks.request(lifeline, { signal: this.#watch.signal }, () => {
        this.end(workerFailed('It ended unexpectedly.'));
      });
    } catch {
      // The worker could not be configured, `end` cancelled the request, or the lock cannot be
      // requested. In the last case, only error events and unanswered pings reveal that the worker
      // has died.
    }
  }
}

function workerFailed(detail: string): CrispenError {
  return new CrispenError('WORKER_FAILED', `The worker failed. ${detail}`, {
    hint: 'Try again: the next image starts a new worker. A smaller image needs less memory.',
  });
}
