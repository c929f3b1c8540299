import { expect, it } from 'vitest';
import { races } from '../test/endurance/racesRun.ts';
import { soakInBrowser } from '../test/endurance/soakBrowser.ts';

it('12 rounds of jobs that are cancelled, closed and switched while they run', async () => {
  const said: string[] = [];
  const { rounds, jobs, right, aborted, ...faults } = await races(12, 20, (text) =>
    said.push(text),
  );
  expect(faults, said.join('\n')).toEqual({ wrong: 0, stuck: 0, unhandled: 0 });
  expect([rounds, right + aborted]).toEqual([12, jobs]);
  expect(right).toBeGreaterThan(12);
  expect(aborted).toBeGreaterThan(0);
});

it('30 images in Chromium: right, and nothing is left behind', async () => {
  const said: string[] = [];
  const { wrong, stuck, untyped, flat } = await soakInBrowser(30, 20, (text) => said.push(text));
  expect([wrong, stuck, untyped, flat], said.join('\n')).toEqual([0, 0, 0, true]);
});
