import { createHash } from 'node:crypto';
import { UsageError } from '../command.ts';

/** A part of the work: the pictures whose hash modulo `of` is `index` - 1. */
export interface Shard {
  /** Counted from 1. */
  readonly index: number;
  readonly of: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Parses the shard that `--shard` names: `2/8`, or `auto` for the task of the scheduler that
 * started this process. `auto/8` gives the number of tasks if the scheduler does not.
 * @throws UsageError for other texts, if there is no scheduler, and for an unknown number of tasks
 */
export function shardOf(text: string, env: Environment = process.env): Shard {
  const [, what, count] = /^(auto|\d+)(?:\/(\d+))?$/.exec(text) ?? [];
  if (what === undefined || (what !== 'auto' && count === undefined)) {
    throw new UsageError(`--shard takes I/N, such as 2/8, auto or auto/N, not "${text}".`);
  }
  const of = count === undefined ? undefined : Number(count);
  const shard = what === 'auto' ? scheduled(env, of) : { index: Number(what), of: of as number };
  if (!(shard.index >= 1 && shard.index <= shard.of)) {
    throw new UsageError(
      what === 'auto'
        ? `The scheduler's task ${shard.index} is not one of 1 to ${shard.of}.`
        : `--shard ${text}: I is 1 to N.`,
    );
  }
  return shard;
}

/**
 * Returns the number, from 1, of the shard to which a picture belongs. New pictures move no other
 * picture.
 */
export function shardWith(relative: string, of: number): number {
  const hash = createHash('sha256').update(relative.normalize('NFC')).digest();
  return (hash.readUInt32BE(0) % of) + 1;
}

/** Schedulers, by the variable that numbers their tasks. */
const SCHEDULERS: readonly {
  readonly name: string;
  readonly task: string;
  /** Variables or numbers: the first task, the last, the step, and the number of tasks. */
  readonly first: string | number;
  readonly last?: string;
  readonly step?: string;
  readonly count?: string;
}[] = [
  {
    name: 'Slurm',
    task: 'SLURM_ARRAY_TASK_ID',
    first: 'SLURM_ARRAY_TASK_MIN',
    last: 'SLURM_ARRAY_TASK_MAX',
    step: 'SLURM_ARRAY_TASK_STEP',
    count: 'SLURM_ARRAY_TASK_COUNT',
  },
  {
    name: 'AWS Batch',
    task: 'AWS_BATCH_JOB_ARRAY_INDEX',
    first: 0,
    count: 'AWS_BATCH_JOB_ARRAY_SIZE',
  },
  { name: 'Kubernetes', task: 'JOB_COMPLETION_INDEX', first: 0 },
  { name: 'PBS', task: 'PBS_ARRAY_INDEX', first: 1 },
  { name: 'PBS', task: 'PBS_ARRAYID', first: 1 },
  {
    name: 'Grid Engine',
    task: 'SGE_TASK_ID',
    first: 'SGE_TASK_FIRST',
    last: 'SGE_TASK_LAST',
    step: 'SGE_TASK_STEPSIZE',
  },
];

function scheduled(env: Environment, given: number | undefined): Shard {
  const number = (from: string | number | undefined): number | undefined => {
    if (typeof from === 'number') return from;
    const text = from === undefined ? undefined : env[from];
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  for (const { name, task, first, last, step, count } of SCHEDULERS) {
    // Grid Engine sets "undefined" outside of arrays.
    const at = number(task);
    if (at === undefined) continue;
    const begin = number(first) ?? 1;
    const stride = number(step) ?? 1;
    const end = number(last);
    const spanned = end === undefined ? undefined : Math.floor((end - begin) / stride) + 1;
    const told = number(count);
    if (given === undefined && told !== undefined && spanned !== undefined && told !== spanned) {
      throw new UsageError(
        `The tasks of this ${name} array have gaps. Say --shard I/N instead of auto.`,
      );
    }
    const of = given ?? told ?? spanned;
    if (of === undefined) {
      throw new UsageError(`${name} does not tell how many tasks there are. Say --shard auto/N.`);
    }
    return { index: Math.floor((at - begin) / stride) + 1, of };
  }
  throw new UsageError(
    '--shard auto found no task of Slurm, Kubernetes, AWS Batch, PBS or Grid Engine. Say --shard I/N.',
  );
}
