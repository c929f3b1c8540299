/**
 * Firefox only asks the driver every 100 ms, and at each submission, whether work is done (bug
 * 1870699). There, empty submissions make it ask every millisecond while Crispen waits.
 */

/** If a queue takes longer than this to report that it is empty, the browser polls it. */
const POLLED_MS = 50;
/** A busy machine is slow once or twice; a polled queue is slow every time. */
const TRIALS = 3;

export class Polling {
  readonly #device: GPUDevice;
  #needed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#measure().catch(() => {}); // a lost device: nothing to wait for
  }

  /** Keeps a polled device checking until `promise` settles. */
  async hasten<T>(promise: Promise<T>): Promise<T> {
    if (!this.#needed) return promise;
    const { queue } = this.#device;
    const nudge = () => {
      try {
        queue.submit([this.#device.createCommandEncoder().finish()]);
      } catch {} // the device was lost, and whoever waits for it gets an error
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
