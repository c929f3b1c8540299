import { parseArgs } from 'node:util';
import { positiveInteger, runCommand } from '../../src/cli/command.ts';
import { races } from './racesRun.ts';

const USAGE = `
npm run races -- [--rounds N] [--seed N]

In Chromium, each round starts several jobs at once, cancels some of them, closes the upscaler, or removes a
model and adds it again. Every job has to end with the right result or with an error that follows from what
the round did, and a last job per round has to be right. The last line is JSON:
{rounds, jobs, right, aborted, wrong, stuck, unhandled}. Exit code 1 unless the last three are 0.

  --rounds N  default 100
  --seed N    default 1`;

await runCommand(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
    },
  });
  const number = (name: 'rounds' | 'seed') => positiveInteger(`--${name}`, values[name]);
  const counts = await races(number('rounds'), number('seed'), console.log);
  console.log(JSON.stringify(counts));
  return counts.wrong + counts.stuck + counts.unhandled === 0 ? 0 : 1;
});
