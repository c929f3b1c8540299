/**
 * Sizes submissions in milliseconds of GPU time, which leaves time for the page, the display and
 * other tabs. It learns the device's speed from the time between completions and starts small. Work
 * is in the engine's own units (about multiply-adds).
 */
export class Pace {
  /** Work per millisecond. */
  #rate: number;
  readonly #target: () => number;
  #isKnown = false;
  readonly #inFlight: Promise<void>[] = [];
  #lastDone = 0;

  /**
   * @param software whether the first guess is the speed of a CPU. Otherwise it is that of a small
   *   discrete GPU: an image of 32 x 32 pixels is then one submission. A slow integrated GPU takes
   *   some 50 ms for its first submission and is known from then on.
   */
  constructor(targetMs: () => number, software: boolean) {
    this.#target = targetMs;
    this.#rate = software ? 2e6 : 2e8;
  }

  /** Returns a new pace with another target, which starts at the speed learned so far. */
  withTarget(targetMs: () => number): Pace {
    const pace = new Pace(targetMs, false);
    pace.#rate = this.#rate;
    return pace;
  }

  learnFrom(other: Pace): void {
    this.#rate = other.#rate;
    this.#isKnown = true;
  }

  /** How long work takes at the speed of the last job; null before the first one. */
  expect(work: number): number | null {
    return this.#isKnown ? work / this.#rate : null;
  }

  submissionWork(): number {
    return this.#rate * this.#target();
  }

  /** Records a submission, and waits while two are in flight. The GPU never runs dry. */
  async submitted(work: number, done: Promise<unknown>): Promise<void> {
    const started = performance.now();
    const finished = done.then(() => {
      const now = performance.now();
      // The GPU began this submission when it was submitted or when the previous one ended.
      const took = now - Math.max(started, this.#lastDone);
      this.#lastDone = now;
      // Tiny submissions measure latency, not speed, so sudden drops in speed are limited.
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

  /** Waits for submissions in flight. Their failures are reported elsewhere. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#inFlight.splice(0));
  }
}
