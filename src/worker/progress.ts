import type { Stage, UpscaleProgress } from './protocol.ts';

/**
 * Shares of the stages in the whole, in percent of a photo that takes a few seconds. They only shape
 * the bar; a stage that does not happen is left out of the sum.
 */
const WEIGHTS: Readonly<Record<Stage, number>> = {
  decode: 2,
  download: 10,
  prepare: 6,
  upscale: 80,
  encode: 2,
};

/** Turns the progress within stages into that of a job: one fraction that never falls. */
export class JobProgress {
  readonly #stages: readonly Stage[];
  readonly #emit: (progress: UpscaleProgress) => void;
  readonly #now: () => number;
  /** Milliseconds between reports, given to the stage that the earlier one was of. */
  readonly timings: Partial<Record<Stage, number>> = {};
  #last = 0;
  #stage: Stage | null = null;
  #stageStart = 0;
  #fraction = 0;
  /** Of the last stage that told its time left. */
  #rate: { readonly stage: Stage; readonly msPerWeight: number } | null = null;

  /** @param stages those that the job goes through, in order */
  constructor(
    stages: readonly Stage[],
    emit: (progress: UpscaleProgress) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#stages = stages;
    this.#emit = emit;
    this.#now = now;
  }

  /**
   * @param fraction of the stage, 0 to 1
   * @param remainingMs of the stage, where something is known of it; the later stages are added in
   * proportion to their weights
   */
  report(stage: Stage, fraction: number, remainingMs: number | null = null): void {
    const now = this.#now();
    const before = this.#stage;
    if (before) this.timings[before] = (this.timings[before] ?? 0) + now - this.#last;
    this.#last = now;
    if (stage !== before) [this.#stage, this.#stageStart] = [stage, now];
    const index = this.#stages.indexOf(stage);
    const done = sum(this.#stages.slice(0, index)) + WEIGHTS[stage] * fraction;
    const total = sum(this.#stages);
    this.#fraction = Math.min(1, Math.max(this.#fraction, done / total));
    if (remainingMs !== null) {
      const stageMs = now - this.#stageStart + remainingMs;
      this.#rate = { stage, msPerWeight: stageMs / WEIGHTS[stage] };
    }
    this.#emit({
      stage,
      fraction: this.#fraction,
      remainingMs: this.#left(stage, fraction, remainingMs),
    });
  }

  #left(stage: Stage, fraction: number, remainingMs: number | null): number | null {
    // A stage that could tell and no longer can: neither can the job.
    if (!this.#rate || (remainingMs === null && this.#rate.stage === stage)) return null;
    const { msPerWeight } = this.#rate;
    const later = sum(this.#stages.slice(this.#stages.indexOf(stage) + 1));
    return (remainingMs ?? msPerWeight * WEIGHTS[stage] * (1 - fraction)) + msPerWeight * later;
  }
}

function sum(stages: readonly Stage[]): number {
  return stages.reduce((total, stage) => total + WEIGHTS[stage], 0);
}
