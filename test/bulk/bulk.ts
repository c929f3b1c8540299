import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parsed, positiveInteger, runCommand } from '../../src/cli/command.ts';
import { whole } from '../../src/options.ts';
import { tinyCheckpoint } from '../checkpoints/tiny.ts';
import { kills } from './kills.ts';
import { many } from './many.ts';
import { BUILT, SOURCE } from './program.ts';
import { share } from './share.ts';

const USAGE = `
npm run bulk -- [--files N] [--kills N] [--share [--measured N]] [--seed N]

Runs the built "crispen INPUT --out DIR" over many pictures. Each part prints lines of JSON. Exit code 1 if
one does not hold.

  --files N     enlarges N files in nested folders, 6 % of them bad in twenty ways, compares every result with
                the oracle and prints memory
  --kills N     kills N runs with SIGKILL at random moments, starts them again and compares with an unbroken
                run
  --share       times 40 pictures of some 128 x 128 with A2N x2 on the CPU in one run and in a run for each, as
                built and, as in README, from source: 85 % in the engine, and twice as fast
  --measured N  runs of one picture that --share times, the rest by their mean; default 40
  --seed N      default 1`;

await runCommand(USAGE, async (given) => {
  const { values } = parseArgs({
    args: given,
    options: {
      files: { type: 'string' },
      kills: { type: 'string' },
      share: { type: 'boolean', default: false },
      measured: { type: 'string', default: '40' },
      seed: { type: 'string', default: '1' },
    },
  });
  const seed = parsed('--seed', values.seed, whole(0));
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
  /** Prints a result, and records whether its check passed. */
  function tell(what: object, isGood: boolean): void {
    console.log(JSON.stringify({ ...what, holds: isGood }));
    holds &&= isGood;
  }
  try {
    if (values.files !== undefined) {
      const files = positiveInteger('--files', values.files);
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
      const rounds = positiveInteger('--kills', values.kills);
      const at = { program, folder: await folder('kills'), weights };
      const counts = await kills({ ...at, rounds, pictures: 60, seed, args, say: console.log });
      const { different, temporary, twice, jobs } = counts;
      tell(counts, different.length + temporary.length === 0 && twice <= jobs);
    }
    if (values.share) {
      const measured = positiveInteger('--measured', values.measured);
      for (const [name, started] of [
        ['built', program],
        ['npm run crispen', SOURCE],
      ] as const) {
        const counts = await share(started, await folder(name), 40, measured);
        const isGood = counts.engineShare >= 0.85 && counts.timesFaster >= 2;
        tell({ program: name, ...counts }, isGood);
      }
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return holds ? 0 : 1;
});
