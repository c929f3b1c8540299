import type { Progress } from './types.ts';

/** Before so much of the work was watched, nothing is said. */
const LEAST_MS = 2000;
const LEAST_REPORTS = 8;
/** By how much the rates of two halves may differ: to begin with an estimate, and to go on with it. */
const STEADY = 1.5;
const UNSTEADY = 3;
/** Reports that are kept; of more every other one goes, and new ones are taken half as often. */
const MOST_REPORTS = 256;

/**
 * Estimates the time left, once the work goes on at a steady rate: until then it says nothing, since
 * what a job begins with (compiling, a first submission, small ones to learn the speed) tells nothing
 * of the rest. What was watched is cut into two halves of the same length in time. If their rates
 * agree, that of the second is taken to last.
 */
export class TimeLeft {
  /** Milliseconds, and the work that was done by then. What came before the first does not count. */
  #reports: (readonly [at: number, done: number])[] = [];
  #count = 0;
  /** Least time between the reports that are kept. */
  #spacing = 0;
  #steady = false;

  /**
   * @param done work, in any unit
   * @param total as it is known by now
   * @param now in milliseconds
   * @returns milliseconds; null while they are not known
   */
  estimate(done: number, total: number, now: number): number | null {
    this.#keep(done, now);
    const [start, begun] = this.#reports[0];
    if (now - start < LEAST_MS || this.#count < LEAST_REPORTS) return null;
    const half = this.#reports.findLast(([at]) => at <= (start + now) / 2);
    const [middle, meanwhile] = half as readonly [number, number];
    const before = (meanwhile - begun) / (middle - start);
    const after = (done - meanwhile) / (now - middle);
    const ratio = Math.max(before, after) / Math.min(before, after);
    // Neither holds for a half in which nothing was done.
    this.#steady = ratio <= (this.#steady ? UNSTEADY : STEADY);
    return this.#steady ? (total - done) / after : null;
  }

  #keep(done: number, now: number): void {
    this.#count++;
    const last = this.#reports.at(-1);
    if (last && now - last[0] < this.#spacing) return;
    this.#reports.push([now, done]);
    if (this.#reports.length <= MOST_REPORTS) return;
    this.#spacing = (2 * (now - this.#reports[0][0])) / MOST_REPORTS;
    this.#reports = this.#reports.filter((_, i) => i % 2 === 0);
  }
}

/**
 * Turns work done into progress that never falls, with the time left once it can be told. Units of
 * work are the caller's own.
 */
export class ProgressMeter {
  #total: number;
  readonly #report: ((progress: Progress) => void) | undefined;
  readonly #now: () => number;
  readonly #timeLeft = new TimeLeft();
  #done = 0;
  #fraction = 0;

  constructor(
    total: number,
    report: ((progress: Progress) => void) | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#total = total;
    this.#report = report;
    this.#now = now;
  }

  /** There is more to do than was known. */
  expect(work: number): void {
    this.#total += work;
  }

  advance(work: number): void {
    if (work <= 0) return;
    this.#done = Math.min(this.#done + work, this.#total);
    this.#fraction = Math.max(this.#fraction, this.#done / this.#total);
    const remainingMs = this.#timeLeft.estimate(this.#done, this.#total, this.#now());
    this.#report?.({ fraction: this.#fraction, remainingMs });
  }

  /** Reports the end, once, whatever rounding left over. */
  finish(): void {
    this.#report?.({ fraction: 1, remainingMs: 0 });
  }
}

/** An estimate, rounded so that it promises no more than it knows: `about 40 s`, `about 3 min`. */
export function roughly(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 1.5) return 'about 1 s';
  if (seconds < 20) return `about ${Math.round(seconds)} s`;
  if (seconds < 57.5) return `about ${Math.round(seconds / 5) * 5} s`;
  if (seconds < 3570) return `about ${Math.max(1, Math.round(seconds / 60))} min`;
  const hours = Math.round(seconds / 1800) / 2;
  return `about ${hours} h`;
}

/** The time left of a job, for people; empty while it is not known. */
export function timeLeft(milliseconds: number | null): string {
  if (milliseconds === null) return '';
  return milliseconds < 1000 ? 'a moment left' : `${roughly(milliseconds)} left`;
}
