import { CrispenError } from '../errors.ts';

/** A task for the scheduler. */
export interface Work<Tool, T> {
  /**
   * Identifies the tool (such as an upscaler) that is passed to `run`. Tasks with the same key
   * share one tool.
   */
  readonly key: string;
  /**
   * Returns the task's rank. The scheduler calls this function whenever it chooses the next task.
   * The task with the smallest rank runs first. Among tasks of equal rank, the oldest runs first.
   */
  readonly rank: () => number;
  readonly signal: AbortSignal;
  readonly run: (tool: Tool) => Promise<T>;
}

interface Waiting<Tool> {
  readonly task: Work<Tool, unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs tasks one at a time, most urgent first, and manages the tools that they need. There is one
 * tool per key. A tool is opened for its first task. All tools are closed when the scheduler has
 * been idle for some time.
 */
export class Scheduler<Tool> {
  readonly #open: (key: string) => Promise<Tool>;
  readonly #close: (tool: Tool) => void;
  readonly #idleMs: () => number;
  readonly #tools = new Map<string, Promise<Tool>>();
  #waiting: Waiting<Tool>[] = [];
  #busy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    open: (key: string) => Promise<Tool>,
    close: (tool: Tool) => void,
    idleMs: () => number,
  ) {
    this.#open = open;
    this.#close = close;
    this.#idleMs = idleMs;
  }

  /**
   * @throws CrispenError `ABORTED` immediately when the signal fires, even if the task is running
   */
  add<T>(task: Work<Tool, T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting = { task, resolve: resolve as (value: unknown) => void, reject };
      const abort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(new CrispenError('ABORTED', 'The image is no longer needed.'));
      };
      if (task.signal.aborted) return abort();
      task.signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiting);
      clearTimeout(this.#timer);
      // The next task is chosen in a microtask, so that the choice includes all tasks that are
      // added before the microtask runs.
      queueMicrotask(() => this.#next());
    });
  }

  #next(): void {
    if (this.#busy) return;
    const ranks = this.#waiting.map(({ task }) => task.rank());
    const first = this.#waiting[ranks.indexOf(Math.min(...ranks))];
    if (!first) {
      clearTimeout(this.#timer);
      if (this.#tools.size > 0) this.#timer = setTimeout(() => this.#rest(), this.#idleMs());
      return;
    }
    this.#waiting = this.#waiting.filter((other) => other !== first);
    this.#busy = true;
    void this.#run(first).finally(() => {
      this.#busy = false;
      this.#next();
    });
  }

  async #run({ task, resolve, reject }: Waiting<Tool>): Promise<void> {
    try {
      resolve(await task.run(await this.#tool(task.key)));
    } catch (error) {
      reject(error);
    }
  }

  #tool(key: string): Promise<Tool> {
    let tool = this.#tools.get(key);
    if (!tool) {
      tool = this.#open(key);
      this.#tools.set(key, tool);
      tool.catch(() => this.#tools.delete(key));
    }
    return tool;
  }

  #rest(): void {
    for (const tool of this.#tools.values()) tool.then(this.#close, () => {});
    this.#tools.clear();
  }
}
