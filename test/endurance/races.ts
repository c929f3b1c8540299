/**
 * npm run races -- [--rounds N] [--seed N]
 *
 * In Chromium, each round starts several jobs at once, cancels some of them, closes the upscaler, or removes a
 * model and adds it again. Every job has to end with the right result or with an error that follows
 * from what the round did, and a last job per round has to be right. The last line is JSON:
 * `{rounds, jobs, right, aborted, wrong, stuck, unhandled}`. Exit code 1 unless the last three are 0.
 */
import { parseArgs } from 'node:util';
import { races } from './racesRun.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
  },
});
const counts = await races(Number(values.rounds), Number(values.seed), console.log);
console.log(JSON.stringify(counts));
process.exitCode = counts.wrong + counts.stuck + counts.unhandled === 0 ? 0 : 1;
