import { parseArgs } from 'node:util';
import { openBackend } from '../node/backend.ts';
import { choice, UsageError } from './command.ts';
import {
  compareGolden,
  findGoldenCases,
  GOLDEN_TOLERANCE,
  isOff,
  readGoldenCases,
  type TensorComparison,
} from './golden-cases.ts';

export const GOLDEN_USAGE = `
npm run golden -- [options]

Compares every tensor of the golden files with the engine's result. Cases are in test/golden,
and in golden and golden2 of $CRISPEN_SHARED (default ../shared). A case without a network in Crispen is
listed as missing.
The command fails for a value that is not finite, a tensor that is not produced, or an error above the
tolerance.

  --cases GLOB       the cases with a matching name, such as 'a2n_*'
  --device NAME      gpu, cpu, or oracle: plain loops (default gpu)
  --no-fuse          run one dispatch per op
  --tolerance X      allowed error relative to the tensor's largest magnitude (default ${GOLDEN_TOLERANCE})
  --json             JSON lines {case, tensor, maxAbs, maxRel} or {case, missing}
  --help             this text
`;

/** Runs the command `golden`. */
export async function goldenCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      cases: { type: 'string' },
      device: { type: 'string', default: 'gpu' },
      'no-fuse': { type: 'boolean', default: false },
      tolerance: { type: 'string', default: String(GOLDEN_TOLERANCE) },
      json: { type: 'boolean', default: false },
    },
  });
  const device = choice('--device', values.device, ['gpu', 'cpu', 'oracle']);
  const tolerance = Number(values.tolerance);
  if (!(tolerance >= 0)) throw new UsageError('--tolerance takes a number of at least 0.');
  const files = findGoldenCases(values.cases);
  if (files.length === 0) throw new UsageError(`No golden case matches "${values.cases ?? '*'}".`);

  if (!values.json) console.log(HEADING);
  let off = 0;
  let compared = 0;
  const missing: string[] = [];
  const backend = await openBackend(device);
  try {
    for (const file of files) {
      const cases = await readGoldenCases(file);
      if ('missing' in cases) {
        missing.push(cases.name);
        if (values.json) printJson({ case: cases.name, missing: cases.missing });
        else console.log(`${cases.name.padEnd(36)} missing: no network "${cases.missing}"`);
        continue;
      }
      // The oracle has no fused kernels, so cases do not run a second time to test them.
      const fuse = device !== 'oracle' && !values['no-fuse'];
      for (const golden of cases) {
        for (const comparison of await compareGolden(golden, backend, { fuse })) {
          compared++;
          if (isOff(comparison, tolerance)) off++;
          if (values.json) printComparison(comparison);
          else console.log(row(comparison, tolerance));
        }
      }
    }
  } finally {
    backend.close();
  }
  if (!values.json) {
    console.log(
      `${compared} tensors compared, ${off} off; ${missing.length} cases without network`,
    );
  }
  return off > 0 ? 1 : 0;
}

function printJson(line: object): void {
  console.log(JSON.stringify(line));
}

/**
 * Prints a comparison as JSON. If `maxAbs` and `maxRel` are NaN, the JSON contains null instead,
 * and `error` states why they are NaN.
 */
function printComparison({ error, shape: _, ...line }: TensorComparison): void {
  printJson(error === null ? line : { ...line, error });
}

const HEADING = `${'case'.padEnd(28)} ${'tensor'.padEnd(30)} ${'shape'.padEnd(14)}    max abs    max rel`;

function row(comparison: TensorComparison, tolerance: number): string {
  const { maxAbs, maxRel, error } = comparison;
  const name = `${comparison.case.padEnd(28)} ${comparison.tensor.padEnd(30)}`;
  const figures =
    error ?? `${maxAbs.toExponential(2).padStart(10)} ${maxRel.toExponential(2).padStart(10)}`;
  const mark = isOff(comparison, tolerance) ? '  OFF' : '';
  return `${name} ${comparison.shape.join('x').padEnd(14)} ${figures}${mark}`;
}
