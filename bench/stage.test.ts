import { expect, it } from 'vitest';
import { de } from './page/texts/de.ts';
import { type Stage, stageLine, stageWords } from './stage.ts';

const run: Stage = {
  what: 'run',
  engine: 'crispen-cpu',
  threads: 2,
  width: 64,
  height: 48,
  n: 1,
  of: 7,
};

it('a stage is a line in English for the commands, and words of any language', () => {
  expect(stageLine({ what: 'ceilings' })).toBe('the ceilings of the adapter');
  expect(stageLine(run)).toBe('64 × 48: crispen-cpu, 2 threads: run 1 of 7');
  expect(stageLine({ ...run, what: 'first', threads: 1 })).toMatch(/, one thread: first run$/);
  expect(stageWords(run, de.stages, () => 'CPU')).toBe('64 × 48, CPU, Durchlauf 1 von 7');
});
