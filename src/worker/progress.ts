import type { Stage, UpscaleProgress } from './protocol.ts';

/**
 * Each stage's share, in percent, of the total time for a photo that takes a few seconds. The
 * shares affect only the reported progress and the estimate of the remaining time. Stages that a
 * job does not need are left out of the total.
 */
const WEIGHTS: Readonly<Record<Stage, number>> = {
  decode: 2,
  download: 10,
  prepare: 6,
  upscale: 80,
  encode: 2,
};

/** Combines the progress of a job's stages into a single fraction that never decreases. */
export class JobProgress {
  readonly #stages: readonly Stage[];
  readonly #emit: (progress: UpscaleProgress) => void;
  readonly #now: () => number;
  /**
   * The time that each stage has taken, in milliseconds. The time between two reports counts
   * towards the stage of the earlier report.
   */
  readonly timings: Partial<Record<Stage, number>> = {};
  #last = 0;
  #stage: Stage | null = null;
  #stageStart = 0;
  #fraction = 0;
  /** The speed of the last stage that reported its remaining time. */
  #rate: { readonly stage: Stage; readonly msPerWeight: number } | null = null;

  /** @param stages the job's stages, in order */
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
   * Reports progress.
   * @param fraction the completed fraction of the stage, 0 to 1
   * @param remainingMs the stage's remaining time, if known; the time that later stages take is
   *   estimated from their weights
   */
  report(stage: Stage, fraction: number, remainingMs: number | null = null): void {
    const index = this.#stages.indexOf(stage);
    // If a model is reloaded after a device loss, the job might have no stage for this.
    if (index < 0) return;
    const now = this.#now();
    const before = this.#stage;
    if (before) this.timings[before] = (this.timings[before] ?? 0) + now - this.#last;
    this.#last = now;
    if (stage !== before) [this.#stage, this.#stageStart] = [stage, now];
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
    // If the stage's remaining time is no longer known, the job's remaining time is unknown too.
    if (!this.#rate || (remainingMs === null && this.#rate.stage === stage)) return null;
    const { msPerWeight } = this.#rate;
    const later = sum(this.#stages.slice(this.#stages.indexOf(stage) + 1));
    return (remainingMs ?? msPerWeight * WEIGHTS[stage] * (1 - fraction)) + msPerWeight * later;
  }
}

function sum(stages: readonly Stage[]): number {
  return stages.reduce((total, stage) => total + WEIGHTS[stage], 0);
}
