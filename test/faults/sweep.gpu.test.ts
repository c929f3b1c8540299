/** A short, seeded run of `npm run fault-sweep` with a few faults from each scenario. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);

it('every fault ends in the right pixels or a typed error, and the next job is right', {
  timeout: 900_000,
}, async () => {
  const args = ['scripts/run.mjs', 'test/faults/sweep.ts', '--short', '--json'];
  const { stdout } = await run(process.execPath, args);
  const { faults, sites, reached, ...wrong } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  expect(wrong).toEqual({ wrong: 0, hang: 0, untyped: 0, nextBroken: 0 });
  expect(faults).toBeGreaterThanOrEqual(9 * 12);
  expect(reached / sites).toBeGreaterThanOrEqual(0.95);
});
