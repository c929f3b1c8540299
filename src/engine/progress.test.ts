import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { JobProgress } from '../worker/progress.ts';
import { ProgressMeter, timeLeft } from './progress.ts';
import type { Progress } from './types.ts';

type Reports = readonly (readonly [at: number, fraction: number])[];

interface Told {
  readonly at: number;
  readonly left: number | null;
}

/** Returns the meter's estimates of the time left in a recorded job. */
function replay(reports: Reports): Told[] {
  const told: Told[] = [];
  let now = 0;
  let done = 0;
  const meter = new ProgressMeter(
    1,
    ({ remainingMs }) => told.push({ at: now, left: remainingMs }),
    () => now,
  );
  for (const [at, fraction] of reports) {
    now = at;
    meter.advance(fraction - done);
    done = fraction;
  }
  return told;
}

/**
 * Replays a recorded `upscale` stage. Returns the estimates of `JobProgress`. These estimates also
 * include the time for encoding.
 */
function replayJob(reports: Reports): Told[] {
  const told: Told[] = [];
  let now = 0;
  const job = new JobProgress(
    ['decode', 'download', 'prepare', 'upscale', 'encode'],
    ({ remainingMs }) => told.push({ at: now, left: remainingMs }),
    () => now,
  );
  let done = 0;
  const meter = new ProgressMeter(
    1,
    ({ fraction, remainingMs }: Progress) => job.report('upscale', fraction, remainingMs),
    () => now,
  );
  job.report('decode', 0);
  job.report('download', 1);
  job.report('upscale', 0);
  for (const [at, fraction] of reports) {
    now = at;
    meter.advance(fraction - done);
    done = fraction;
  }
  return told;
}

const recorded = (name: string): { readonly endMs: number; readonly reports: Reports } =>
  JSON.parse(readFileSync(new URL(`../../test/progress/${name}.json`, import.meta.url), 'utf8'));

describe('recorded jobs', () => {
  it.each(['small-picture', 'small-tiles', 'large-picture'])(
    '%s: told soon, and never off by more than three times',
    (name) => {
      const { endMs, reports } = recorded(name);
      for (const told of [replay(reports), replayJob(reports)]) {
        const known = told.filter(({ left }) => left !== null);
        expect(known.length).toBeGreaterThan(0.7 * told.length);
        // The delay of the first estimate is measured from the first report, because the meter
        // cannot determine a rate before that.
        expect(known[0].at - reports[0][0]).toBeLessThan(5000);
        for (const { at, left } of known) {
          const actual = endMs - at;
          // The end of a job is not checked. Near the end, the time for encoding is a large part of
          // the estimates of `JobProgress`.
          if (actual < Math.max(1000, 0.03 * endMs)) continue;
          expect(left, `at ${at} ms`).toBeGreaterThan(actual / 3);
          expect(left, `at ${at} ms`).toBeLessThan(actual * 3);
        }
      }
    },
  );

  it('a large picture is said to take hours, not months', () => {
    const said = replay(recorded('large-picture').reports).map(({ left }) => timeLeft(left));
    expect(said[0]).toBe('');
    const hours = said.filter(Boolean).map((words) => Number(/about ([\d.]+) h/.exec(words)?.[1]));
    expect(Math.min(...hours)).toBeGreaterThanOrEqual(1.5);
    expect(Math.max(...hours)).toBeLessThanOrEqual(5);
  });
});

describe('the time left', () => {
  const even = (from: number, to: number, count: number, at: number, step: number): Reports =>
    Array.from({ length: count }, (_, i) => [
      at + i * step,
      from + ((to - from) * (i + 1)) / count,
    ]);

  it('is not told by a first report that took 7.8 s for next to nothing', () => {
    // After 7.8 s of a real job, the estimate was 753 hours. After 13.6 s, it was 2.5 hours.
    const seen: Reports = [
      [7800, 7.8 / (753 * 3600)],
      [13_600, 13.6 / (2.5 * 3600)],
    ];
    expect(replay(seen).map(({ left }) => left)).toEqual([null, null]);
  });

  it('is exact where the rate is', () => {
    const told = replay(even(0, 0.5, 50, 30_000, 100));
    expect(told.slice(0, 20).every(({ left }) => left === null)).toBe(true);
    expect(told.at(-1)?.left).toBeCloseTo(5000, -1);
  });

  it('is not told while the work speeds up, and told soon after', () => {
    const slow = even(0, 0.01, 20, 0, 500);
    const fast = even(0.01, 0.6, 100, 10_000, 100);
    const told = replay([...slow, ...fast]);
    const known = (from: number, to: number) =>
      told.filter(({ at, left }) => at >= from && at < to && left !== null).length;
    // At 10 s, the work becomes about sixty times as fast. The meter must then give no estimate,
    // because the earlier rate does not predict the rest.
    expect(known(10_400, 15_000)).toBe(0);
    for (const { at, left } of told.filter(({ at }) => at > 10_400)) {
      if (left !== null) expect(left / (16_800 - at)).toBeLessThan(3);
    }
  });

  it('is not told while nothing is done', () => {
    const told: (number | null)[] = [];
    let now = 0;
    const meter = new ProgressMeter(
      1,
      ({ remainingMs }) => told.push(remainingMs),
      () => now,
    );
    for (let i = 0; i < 40; i++, now += 100) meter.advance(1e-3);
    now += 60_000;
    meter.advance(1e-9);
    expect(told.at(-2)).not.toBeNull();
    expect(told.at(-1)).toBeNull();
  });

  it('counts work that was not known of', () => {
    let now = 0;
    let left: number | null = null;
    const meter = new ProgressMeter(
      100,
      ({ remainingMs }) => {
        left = remainingMs;
      },
      () => now,
    );
    for (let i = 0; i < 50; i++, now += 100) meter.advance(1);
    expect(left).toBeCloseTo(5000, -1);
    meter.expect(100);
    meter.advance(1);
    expect(left).toBeCloseTo(14_900, -1);
  });

  it('keeps few reports of a long job', () => {
    const told = replay(even(0, 0.9, 20_000, 1000, 50));
    expect(told.at(-1)?.left).toBeCloseTo((1000 * 50 * 20) / 9, -2);
  });
});
