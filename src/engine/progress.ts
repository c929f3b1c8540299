import type { Progress } from './types.ts';

/**
 * Turns work done into progress that never falls, with the time left extrapolated from the time
 * spent. Units of work are the caller's own.
 */
export class ProgressMeter {
  readonly #total: number;
  readonly #report: ((progress: Progress) => void) | undefined;
  readonly #started = performance.now();
  #done = 0;

  constructor(total: number, report: ((progress: Progress) => void) | undefined) {
    this.#total = total;
    this.#report = report;
  }

  advance(work: number): void {
    if (work <= 0) return;
    this.#done = Math.min(this.#done + work, this.#total);
    const fraction = this.#done / this.#total;
    const spent = performance.now() - this.#started;
    this.#report?.({ fraction, remainingMs: (spent / fraction) * (1 - fraction) });
  }

  /** Reports the end, once, whatever rounding left over. */
  finish(): void {
    this.#report?.({ fraction: 1, remainingMs: 0 });
  }
}
