import { parseArgs } from 'node:util';
import { choice, positiveInteger, UsageError } from '../src/cli/command.ts';
import { ENGINES, type EngineId, RIVALS } from './contender.ts';
import type { BenchRequest } from './session.ts';

export interface BenchOptions extends BenchRequest {
  /** The requested family. The weights must belong to this family. */
  readonly network: string;
  /** The path of a weight file; null for the shipped model. */
  readonly weights: string | null;
  readonly json: boolean;
  /** Options that only one command uses. */
  readonly hardware: boolean;
  /**
   * Thread counts for CPU engines. Each count is a separate contender. If empty, the number of
   * cores that the browser reports is used.
   */
  readonly threads: readonly number[];
  readonly save: string | null;
}

export const COMMON_USAGE = `
  --sizes 64x64,128x128   of the LR picture, default 64x64
  --engines A,B           of: ENGINES
  --repeats N             runs of each engine, default 5; the median counts
  --network a2n|pan|…     the family, default a2n
  --scale N               default 2; of weight files that do not tell, too
  --weights FILE          a weight file of the network; default: the shipped A2N
  --json                  one JSON object per line instead of the table`;

/** @throws UsageError */
export function parseOptions(args: string[], known: readonly EngineId[] = ENGINES): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '64x64' },
      engines: { type: 'string', default: known.join() },
      repeats: { type: 'string', default: '5' },
      network: { type: 'string', default: 'a2n' },
      scale: { type: 'string', default: '2' },
      threads: { type: 'string' },
      weights: { type: 'string' },
      json: { type: 'boolean', default: false },
      hardware: { type: 'boolean', default: false },
      save: { type: 'string' },
    },
  });
  const { network, weights = null } = values;
  if (network !== 'a2n' && weights === null) {
    throw new UsageError(`There are no weights of ${network} here: name a file by --weights.`);
  }
  return {
    sizes: values.sizes.split(',').map(parseSize),
    engines: values.engines.split(',').map((name) => choice('--engines', name, known)),
    repeats: positiveInteger('--repeats', values.repeats),
    scale: Number(choice('--scale', values.scale, ['2', '3', '4'])),
    network,
    weights,
    json: values.json,
    hardware: values.hardware,
    threads: values.threads?.split(',').map((n) => positiveInteger('--threads', n)) ?? [],
    save: values.save ?? null,
  };
}

export const isRival = (engine: EngineId): boolean =>
  (RIVALS as readonly string[]).includes(engine);

export function parseSize(text: string): [number, number] {
  const [, width, height] = /^(\d+)x(\d+)$/.exec(text.trim()) ?? [];
  if (width === undefined || height === undefined) {
    throw new UsageError(`--sizes takes sizes such as 64x64,128x96, not "${text}".`);
  }
  return [positiveInteger('--sizes', width), positiveInteger('--sizes', height)];
}
