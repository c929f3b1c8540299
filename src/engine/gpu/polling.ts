/**
 * Firefox asks the driver every 100 ms whether work is done, and at each submission (bug 1870699).
 * There, empty submissions make it ask every millisecond while somebody waits.
 */

/** Queues that need longer to say that there is nothing to do are only looked at now and then. */
const POLLED_MS = 50;
/** A busy machine is slow once or twice; a queue that is polled is slow every time. */
const TRIALS = 3;

export class Polling {
  readonly #device: GPUDevice;
  #needed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#measure().catch(() => {}); // a lost device: nothing to wait for
  }

  /** Keeps the device looking until `promise` settles, where that is needed. */
  async hasten<T>(promise: Promise<T>): Promise<T> {
    if (!this.#needed) return promise;
    const { queue } = this.#device;
    const nudge = () => queue.submit([this.#device.createCommandEncoder().finish()]);
    const timer = setInterval(nudge, 1);
    try {
      return await promise;
    } finally {
      clearInterval(timer);
    }
  }

  async #measure(): Promise<void> {
    for (let trial = 0; trial < TRIALS; trial++) {
      const started = performance.now();
      await this.#device.queue.onSubmittedWorkDone();
      if (performance.now() - started < POLLED_MS) return;
    }
    this.#needed = true;
  }
}
