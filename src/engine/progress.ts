import type { Progress } from './types.ts';

/**
 * Turns work done into progress that never falls, with the time left extrapolated from the time
 * spent. Units of work are the caller's own.
 */
export class ProgressMeter {
  #total: number;
  readonly #report: ((progress: Progress) => void) | undefined;
  readonly #started = performance.now();
  #done = 0;
  #fraction = 0;

  constructor(total: number, report: ((progress: Progress) => void) | undefined) {
    this.#total = total;
    this.#report = report;
  }

  /** There is more to do than was known. */
  expect(work: number): void {
    this.#total += work;
  }

  advance(work: number): void {
    if (work <= 0) return;
    this.#done = Math.min(this.#done + work, this.#total);
    const fraction = this.#done / this.#total;
    const spent = performance.now() - this.#started;
    this.#fraction = Math.max(this.#fraction, fraction);
    const remainingMs = (spent / fraction) * (1 - fraction);
    this.#report?.({ fraction: this.#fraction, remainingMs });
  }

  /** Reports the end, once, whatever rounding left over. */
  finish(): void {
    this.#report?.({ fraction: 1, remainingMs: 0 });
  }
}
