import { parseArgs } from 'node:util';
import { parsed, positiveInteger, positiveNumber, runCommand } from '../../src/cli/command.ts';
import { whole } from '../../src/options.ts';
import { fuzz } from './run.ts';

const USAGE = `
npm run fuzz -- [--mutations N | --seconds N] [--format NAME,NAME] [--seed N] [--from N]

Changes image and weight files at random and reads them as the command line does, N files of each format.
Every file has to give an image, a network or a CrispenError, within 2 s of CPU time and within four times the
larger of the file and its declared pixels, plus 64 MiB. The last line is JSON:
{files, untyped, slow, large, formats}. Exit code 1 unless the middle three are 0.

  --mutations N       of each format
  --seconds N         instead: as many as this time allows; default 60
  --format NAME,NAME  only these
  --seed N, --from N  seed and number of a fault make the same file again (--from N --mutations 1)`;

await runCommand(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      mutations: { type: 'string' },
      seconds: { type: 'string' },
      format: { type: 'string' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' },
    },
  });
  const { mutations, seconds = mutations === undefined ? '60' : undefined } = values;
  const formats = await fuzz({
    mutations: mutations === undefined ? undefined : positiveInteger('--mutations', mutations),
    seconds: seconds === undefined ? undefined : positiveNumber('--seconds', seconds),
    formats: values.format?.split(','),
    seed: positiveInteger('--seed', values.seed),
    from: parsed('--from', values.from, whole(0)),
    onFault: (what) => console.log(what),
  });
  const sum = (key: 'files' | 'untyped' | 'slow' | 'large') =>
    Object.values(formats).reduce((total, count) => total + count[key], 0);
  const faults = { untyped: sum('untyped'), slow: sum('slow'), large: sum('large') };
  console.log(JSON.stringify({ files: sum('files'), ...faults, formats }));
  return sum('files') > 0 && Object.values(faults).every((n) => n === 0) ? 0 : 1;
});
