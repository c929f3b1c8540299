import type { Progress } from './types.ts';

/**
 * An estimate needs at least `LEAST_REPORTS` reports, and at least `LEAST_MS` milliseconds since
 * the first report.
 */
const LEAST_MS = 2000;
const LEAST_REPORTS = 8;
/**
 * `TimeLeft` compares how fast the work proceeds in the two halves of the observed time. Estimates
 * start once the faster half is at most `STEADY` times as fast as the slower half. They continue
 * while it is at most `UNSTEADY` times as fast.
 */
const STEADY = 1.5;
const UNSTEADY = 3;
/**
 * The maximum number of reports that are kept. When there are more, every other report is dropped,
 * and new reports are recorded half as often.
 */
const MOST_REPORTS = 256;

/**
 * Estimates the time left, but only once the work proceeds at a steady rate. Before that, there is
 * no estimate, because the start of a job (compilation and small submissions that measure the
 * speed) does not predict the rest. The observed time is split into two equal halves. If the work
 * proceeds at similar rates in both, it is assumed to continue at the rate of the second half.
 */
export class TimeLeft {
  /**
   * Times in milliseconds, each with the work done by then. Work before the first report does not
   * count.
   */
  #reports: (readonly [at: number, done: number])[] = [];
  #count = 0;
  /** The minimum time between two entries of `#reports`, in milliseconds. */
  #spacing = 0;
  #steady = false;

  /**
   * @param done the finished work, in any unit
   * @param total all work known so far, in the same unit
   * @param now the current time in milliseconds
   * @returns the time left in milliseconds, or null while it is unknown
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
    // If no work was done in one of the halves, the ratio is infinite or NaN, and the rate does not
    // count as steady.
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
 * Converts finished work to progress that never decreases, and adds the time left once it can be
 * estimated. The caller chooses the unit of work.
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

  /** Adds previously unknown work to the total. */
  expect(work: number): void {
    this.#total += work;
  }

  /** Replaces the unfinished work, because the rest of the job will be done in another way. */
  replan(work: number): void {
    this.#total = this.#done + work;
  }

  advance(work: number): void {
    if (work <= 0) return;
    this.#done = Math.min(this.#done + work, this.#total);
    this.#fraction = Math.max(this.#fraction, this.#done / this.#total);
    const remainingMs = this.#timeLeft.estimate(this.#done, this.#total, this.#now());
    this.#report?.({ fraction: this.#fraction, remainingMs });
  }

  /**
   * Reports that all work is done. Because of rounding errors, the sum of the finished work can be
   * slightly less than the total.
   */
  finish(): void {
    this.#report?.({ fraction: 1, remainingMs: 0 });
  }
}

/** Rounds an estimate to a suitable unit. Longer times are rounded more coarsely. */
export function rounded(milliseconds: number): readonly [n: number, unit: 's' | 'min' | 'h'] {
  const seconds = milliseconds / 1000;
  if (seconds < 20) return [Math.max(1, Math.round(seconds)), 's'];
  if (seconds < 57.5) return [Math.round(seconds / 5) * 5, 's'];
  if (seconds < 3570) return [Math.max(1, Math.round(seconds / 60)), 'min'];
  return [Math.round(seconds / 1800) / 2, 'h'];
}

/** Formats a time, for example `about 40 s` or `about 3 min`. */
export function roughly(milliseconds: number): string {
  const [n, unit] = rounded(milliseconds);
  return `about ${n} ${unit}`;
}

/** Describes the time left for a job. The text is empty while the time is unknown. */
export function timeLeft(milliseconds: number | null): string {
  if (milliseconds === null) return '';
  return milliseconds < 1000 ? 'a moment left' : `${roughly(milliseconds)} left`;
}
