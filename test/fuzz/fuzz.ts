/**
 * npm run fuzz -- [--mutations N | --seconds N] [--format NAME,NAME] [--seed N] [--from N]
 *
 * Changes image and weight files at random and reads them as the command line does, N files of each
 * format. Every file has to give an image, a network or a CrispenError, within 2 s of CPU time and within
 * four times the larger of the file and its declared pixels, plus 64 MiB. The last line is JSON:
 * `{files, untyped, slow, large, formats}`. Exit code 1 unless the middle three are 0. Seed and number of
 * a fault make the same file again (`--from N --mutations 1`).
 */
import { parseArgs } from 'node:util';
import { fuzz } from './run.ts';

const { values } = parseArgs({
  options: {
    mutations: { type: 'string' },
    seconds: { type: 'string' },
    format: { type: 'string' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
  },
});
const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const formats = await fuzz({
  mutations: number(values.mutations),
  seconds: number(values.seconds ?? (values.mutations === undefined ? '60' : undefined)),
  formats: values.format?.split(','),
  seed: Number(values.seed),
  from: Number(values.from),
  onFault: (what) => console.log(what),
});
const sum = (key: 'files' | 'untyped' | 'slow' | 'large') =>
  Object.values(formats).reduce((total, count) => total + count[key], 0);
const faults = { untyped: sum('untyped'), slow: sum('slow'), large: sum('large') };
console.log(JSON.stringify({ files: sum('files'), ...faults, formats }));
process.exitCode = sum('files') > 0 && Object.values(faults).every((n) => n === 0) ? 0 : 1;
