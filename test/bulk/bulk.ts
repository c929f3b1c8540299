/**
 * npm run bulk -- [--files N] [--kills N] [--share [--measured N]] [--seed N]
 *
 * Runs the built `crispen INPUT --out DIR` over many pictures. `--files` enlarges N files in nested
 * folders, 6 % of them bad in twenty ways, compares every result with the oracle and prints memory.
 * `--kills` kills N runs with SIGKILL at random moments, starts them again and compares with an
 * unbroken run. `--share` times 40 pictures of some 128 x 128 with A2N x2 on the CPU: in one run, and
 * in a run for each (or for N of them, the rest by their mean), as built and, as in README, from source.
 * Each prints lines of JSON. Exit code 1 if one does not hold.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tinyCheckpoint } from '../checkpoints/tiny.ts';
import { kills } from './kills.ts';
import { many } from './many.ts';
import { BUILT, SOURCE } from './program.ts';
import { share } from './share.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string' },
    kills: { type: 'string' },
    share: { type: 'boolean', default: false },
    measured: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
  },
});
const seed = Number(values.seed);
const root = await mkdtemp(join(tmpdir(), 'crispen-bulk-'));
const weights = join(root, 'tiny-x2.safetensors');
await writeFile(weights, tinyCheckpoint(2));
const args = ['--device', 'cpu'];
const program = BUILT;
let holds = true;
const folder = async (name: string): Promise<string> => {
  await mkdir(join(root, name));
  return join(root, name);
};
/** Prints a result and whether it holds. */
function tell(what: object, isGood: boolean): void {
  console.log(JSON.stringify({ ...what, holds: isGood }));
  holds &&= isGood;
}
try {
  if (values.files !== undefined) {
    const files = Number(values.files);
    const counts = await many({
      program,
      folder: await folder('many'),
      weights,
      files,
      bad: Math.round(files * 0.06),
      seed,
      args,
    });
    const { wrong, unlisted, exitCode, peak, peakOfLargest } = counts;
    const isRight = wrong.length + unlisted.length === 0 && exitCode === 1;
    tell(counts, isRight && peak <= 2 * peakOfLargest);
  }
  if (values.kills !== undefined) {
    const [rounds, pictures] = [Number(values.kills), 60];
    const at = { program, folder: await folder('kills'), weights };
    const counts = await kills({ ...at, rounds, pictures, seed, args, say: console.log });
    const { different, temporary, twice, jobs } = counts;
    tell(counts, different.length + temporary.length === 0 && twice <= jobs);
  }
  if (values.share) {
    const measured = Number(values.measured);
    const built = await share(program, await folder('share'), 40, measured);
    console.log(JSON.stringify({ program: 'built', ...built }));
    const counts = await share(SOURCE, await folder('share-source'), 40, measured);
    const isFast = counts.engineShare >= 0.85 && counts.timesFaster >= 2;
    tell({ program: 'npm run crispen', ...counts }, isFast && built.engineShare >= 0.85);
  }
} finally {
  await rm(root, { recursive: true, force: true });
}
process.exitCode = holds ? 0 : 1;
