/**
 * Chooses how much work to put into each submission, so that the GPU needs about `targetMs`
 * milliseconds for it. Short submissions leave time for the page, the display and other tabs. The
 * first submissions are small, and the time between completions shows the device's speed. Work is
 * measured in the engine's own units (roughly multiply-adds).
 */
export class Pace {
  /** The current speed in units of work per millisecond. */
  #rate: number;
  readonly #target: () => number;
  #isKnown = false;
  readonly #inFlight: Promise<void>[] = [];
  #lastDone = 0;

  /**
   * @param software whether WebGPU runs on the CPU. If it does, the pace starts with the speed of a
   *   CPU. Otherwise, it starts with the speed of a small discrete GPU. At this speed, A2N upscales
   *   about 32 x 32 pixels in one submission of 8 ms. A slow integrated GPU takes about 50 ms for
   *   its first submission. After that, the measured speed is used.
   */
  constructor(targetMs: () => number, software: boolean) {
    this.#target = targetMs;
    this.#rate = software ? 2e6 : 2e8;
  }

  /** Returns a new pace that has a different target and starts at the speed measured so far. */
  withTarget(targetMs: () => number): Pace {
    const pace = new Pace(targetMs, false);
    pace.#rate = this.#rate;
    return pace;
  }

  learnFrom(other: Pace): void {
    this.#rate = other.#rate;
    this.#isKnown = true;
  }

  /**
   * Returns the expected time for `work` in milliseconds, based on the speed that was measured
   * during the last job. Returns null until the first job is complete.
   */
  expect(work: number): number | null {
    return this.#isKnown ? work / this.#rate : null;
  }

  submissionWork(): number {
    return this.#rate * this.#target();
  }

  /**
   * Records a submission and, if two are now in flight, waits for the older one. While one runs,
   * the next one is queued, so the GPU always has work.
   */
  async submitted(work: number, done: Promise<unknown>): Promise<void> {
    const started = performance.now();
    const finished = done.then(() => {
      const now = performance.now();
      // The GPU started this submission when it was submitted or when the previous one ended,
      // whichever was later.
      const took = now - Math.max(started, this.#lastDone);
      this.#lastDone = now;
      // The time of a tiny submission shows latency, not speed. Therefore, a single measurement can
      // change the rate only by a limited factor.
      if (took > 0.5) {
        const measured = work / took;
        const bounded = Math.min(measured, this.#rate * 2);
        this.#rate = Math.max(1e4, 0.5 * this.#rate + 0.5 * Math.max(bounded, this.#rate / 4));
      } else {
        this.#rate *= 2;
      }
    });
    this.#inFlight.push(finished);
    finished.catch(() => {});
    if (this.#inFlight.length >= 2) await this.#inFlight.shift();
  }

  /**
   * Waits for submissions in flight. Does not throw their errors, because callers use this method
   * only to clean up.
   */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#inFlight.splice(0));
  }
}
