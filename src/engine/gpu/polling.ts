/**
 * Speeds up waiting in Firefox, which checks for completed work only every 100 ms and at each
 * submission (bug 1870699). While Crispen waits, empty submissions make Firefox check every
 * millisecond.
 */

/**
 * If an empty queue takes longer than this to report that it is done, the browser polls the queue.
 */
const POLLED_MS = 50;
/**
 * If this many trials in a row take longer than `POLLED_MS`, `Polling` concludes that the browser
 * polls the queue. One or two slow trials prove nothing, because the machine may be busy.
 */
const TRIALS = 3;

export class Polling {
  readonly #device: GPUDevice;
  #needed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#measure().catch(() => {}); // If the device is lost, there is nothing to wait for.
  }

  /**
   * If the browser polls the queue, this method submits empty work every millisecond until
   * `promise` settles. Each submission makes the browser check for completed work.
   */
  async hasten<T>(promise: Promise<T>): Promise<T> {
    if (!this.#needed) return promise;
    const { queue } = this.#device;
    const nudge = () => {
      try {
        queue.submit([this.#device.createCommandEncoder().finish()]);
      } catch {} // The device was lost. Code that waits for the device gets an error.
    };
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
