import { parseArgs } from 'node:util';
import { CrispenError } from '../errors.ts';
import { multiplyAddsPerPixel, parameterCount } from '../graph/analysis.ts';
import { receptiveField, tileOverlap } from '../graph/reach.ts';
import { type Detection, identify } from '../networks/detect.ts';
import { detectIn, type ModelOptions, readWeightFile } from '../node/model.ts';
import type { WeightFile } from '../weights/read.ts';
import { positiveInteger, UsageError } from './command.ts';
import type { KeyCount } from './keys.ts';
import { NETWORK_OPTIONS, NETWORK_USAGE, networkOf } from './network.ts';

export const INSPECT_USAGE = `
npm run inspect -- FILE [options]

Describes a weight file: its format, its network, and how the scale was found. For a file that Crispen
cannot run, the command prints the reason and fails.

  --scale N        the scale, if the file does not say
  --keys PICTURE   of a network with attention to earlier layers (ACLA): how many keys a pixel uses, as means over the
                   picture; several times for several pictures
${NETWORK_USAGE}
  --json           one JSON object {format, architecture, scale, scaleSource, parameters,
                   receptiveField, multiplyAddsPerPixel, tensors, ...}
  --help           this text
`;

/**
 * The output of `inspect --json`. If the network was not recognised, the fields about it are null.
 */
export interface Inspection {
  readonly format: WeightFile['format'];
  /**
   * The text before each tensor's name in the file: the names of enclosing dictionaries and a
   * prefix, such as `state_dict/module.`; often empty.
   */
  readonly wrapper: string;
  readonly architecture: string | null;
  readonly scale: number | null;
  readonly scaleSource: Detection['scaleSource'] | null;
  readonly inputRange: number | null;
  readonly inputRangeSource: Detection['inputRangeSource'] | null;
  readonly assumptions: readonly string[];
  /** The network's number of parameters at run time, after folding and without unused tensors. */
  readonly parameters: number | null;
  /** The full width of the receptive field, in LR pixels. */
  readonly receptiveField: number | null;
  /**
   * The overlap of tiles, in LR pixels. If it is less than half the receptive field, tiled results
   * are approximate.
   */
  readonly overlap: number | null;
  readonly multiplyAddsPerPixel: number | null;
  readonly sha256: string;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
  /** The reason why Crispen cannot run the file; null if Crispen can run it. */
  readonly problem: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  } | null;
}

/** Runs the command `inspect`. */
export async function inspectCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      scale: { type: 'string' },
      ...NETWORK_OPTIONS,
      keys: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
    },
  });
  const [path, ...rest] = positionals;
  if (path === undefined || rest.length > 0) throw new UsageError('Name one weight file.');
  const options = {
    scale: positiveInteger('--scale', values.scale),
    wish: networkOf(values),
  };
  if (values.keys) {
    const { countKeys } = await import('./keys.ts');
    for (const count of await countKeys(path, values.keys, options)) console.log(keyLine(count));
    return 0;
  }
  const inspection = await inspect(path, options);
  if (values.json) console.log(JSON.stringify(inspection));
  else for (const line of report(path, inspection)) console.log(line);
  return inspection.problem === null ? 0 : 1;
}

/**
 * @throws CrispenError `INVALID_INPUT` if the file cannot be read; `MODEL_CORRUPT` or
 *   `MODEL_UNSUPPORTED` if its tensors cannot be loaded
 */
export async function inspect(
  path: string,
  options: Pick<ModelOptions, 'scale' | 'wish'> = {},
): Promise<Inspection> {
  const { file, sha256 } = await readWeightFile(path);
  let found: Detection | null = null;
  let problem: Inspection['problem'] = null;
  try {
    found = detectIn(file, path, options);
  } catch (error) {
    if (!(error instanceof CrispenError)) throw error;
    problem = error.serialize();
  }
  const graph = found?.network.graph;
  return {
    format: file.format,
    wrapper: file.wrapper,
    architecture: found?.architecture ?? identify(file.tensors),
    scale: found?.scale ?? null,
    scaleSource: found?.scaleSource ?? null,
    inputRange: found?.inputRange ?? null,
    inputRangeSource: found?.inputRangeSource ?? null,
    assumptions: found?.assumptions ?? [],
    parameters: graph ? parameterCount(graph) : null,
    receptiveField: graph ? 2 * receptiveField(graph).radius + 1 : null,
    overlap: graph ? tileOverlap(graph).overlap : null,
    multiplyAddsPerPixel: graph ? multiplyAddsPerPixel(graph) : null,
    sha256,
    tensors: [...file.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    problem,
  };
}

const keyLine = ({ name, keys, kept, effective }: KeyCount): string =>
  `${name.padEnd(16)} ${keys} keys, ${kept.toFixed(2)} kept, ${effective.toFixed(2)} by weight`;

function report(path: string, found: Inspection): string[] {
  const lines: [string, string][] = [
    ['file', path],
    ['format', found.format + (found.wrapper && ` (${found.wrapper})`)],
    ['network', found.architecture ?? 'unknown'],
  ];
  if (found.scale !== null) {
    const number = (value: number | null) => (value ?? 0).toLocaleString('en');
    lines.push(
      ['scale', `${found.scale} (from: ${found.scaleSource})`],
      ['input', `0..${found.inputRange} (from: ${found.inputRangeSource})`],
      ...found.assumptions.map((text): [string, string] => ['assumed', text]),
      ['parameters', number(found.parameters)],
      ['multiply-adds', `${number(found.multiplyAddsPerPixel)} per LR pixel`],
      ['receptive field', `${found.receptiveField} LR pixels, tiles overlap by ${found.overlap}`],
    );
  }
  lines.push(['SHA-256', found.sha256], ['tensors', String(found.tensors.length)]);
  return [
    ...lines.map(([name, value]) => `${name.padEnd(16)} ${value}`),
    ...found.tensors.map(({ name, dtype, shape }) => {
      // Names are escaped, because control characters in the file must not reach the terminal.
      return `  ${JSON.stringify(name).slice(1, -1).padEnd(44)} ${dtype.padEnd(5)} [${shape}]`;
    }),
    ...(found.problem
      ? [`${found.problem.code}: ${found.problem.message}`, found.problem.hint]
      : []),
  ];
}
