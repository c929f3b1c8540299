import { expect, it } from 'vitest';
import { JobProgress } from './progress.ts';
import type { Stage, UpscaleProgress } from './protocol.ts';

function record(stages: readonly Stage[]) {
  const seen: UpscaleProgress[] = [];
  const clock = { now: 0 };
  const progress = new JobProgress(
    stages,
    (event) => seen.push(event),
    () => clock.now,
  );
  return { seen, clock, progress };
}

const ALL: Stage[] = ['decode', 'download', 'prepare', 'upscale', 'encode'];

it('goes from 0 to 1 through every selection of stages', () => {
  for (const stages of [ALL, ALL.slice(3), ['download', 'prepare'] as Stage[]]) {
    const { seen, progress } = record(stages);
    for (const stage of stages) for (const f of [0, 0.5, 1]) progress.report(stage, f);
    const fractions = seen.map((event) => event.fraction);
    expect(fractions[0]).toBe(0);
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(new Set(fractions).size).toBeGreaterThan(stages.length);
  }
});

it('never falls, even when a stage starts again', () => {
  const { seen, progress } = record(ALL);
  progress.report('download', 0.9);
  progress.report('download', 0.1);
  expect(seen[1].fraction).toBe(seen[0].fraction);
});

it('knows nothing of the time left before something was measured', () => {
  const { seen, progress } = record(ALL);
  progress.report('decode', 1);
  progress.report('download', 0.5);
  progress.report('upscale', 0, null);
  expect(seen.map((event) => event.remainingMs)).toEqual([null, null, null]);
});

it('adds the later stages to the time left of this one', () => {
  const { seen, clock, progress } = record(['upscale', 'encode']);
  progress.report('upscale', 0);
  clock.now = 1000;
  progress.report('upscale', 0.25, 3000);
  // The upscale stage has taken 1000 ms and needs 3000 ms more. It has weight 80, so one unit of
  // weight takes 50 ms. The encode stage has weight 2, so the estimate for it is 100 ms.
  expect(seen.at(-1)?.remainingMs).toBe(3100);
  clock.now = 4000;
  progress.report('encode', 0);
  expect(seen.at(-1)?.remainingMs).toBe(100);
  progress.report('encode', 1, 0);
  expect(seen.at(-1)).toEqual({ stage: 'encode', fraction: 1, remainingMs: 0 });
});

it('gives each stage the time until the next report', () => {
  const { clock, progress } = record(ALL);
  clock.now = 100;
  for (const [stage, at] of [
    ['decode', 100],
    ['decode', 103],
    ['download', 105],
    ['upscale', 125],
    ['download', 130],
    ['upscale', 131],
    ['encode', 151],
    ['encode', 152],
  ] as const) {
    clock.now = at;
    progress.report(stage, 0.5);
  }
  expect(progress.timings).toEqual({ decode: 5, download: 21, upscale: 25, encode: 1 });
});
