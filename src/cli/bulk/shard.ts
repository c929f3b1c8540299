import { createHash } from 'node:crypto';
import { UsageError } from '../command.ts';

/**
 * A part of the work. An image belongs to this shard if the hash of the image's path, modulo the
 * number of shards, is `index - 1`.
 */
export interface Shard {
  /** The number of this shard. The first shard has the number 1. */
  readonly index: number;
  /** The number of shards in total. */
  readonly of: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Parses the value of `--shard`. The value is a shard such as `2/8`, or `auto` to use the index of
 * the job scheduler's task. `auto/8` also states the number of tasks, for schedulers that do not
 * provide it.
 * @throws UsageError for other values; for `auto`, also if no scheduler started this process or if
 *   the number of tasks is unknown
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
 * Returns the number of the shard that contains an image. The first shard has the number 1.
 * Adding images does not move other images to different shards.
 */
export function shardWith(relative: string, of: number): number {
  const hash = createHash('sha256').update(relative.normalize('NFC')).digest();
  return (hash.readUInt32BE(0) % of) + 1;
}

/**
 * The supported job schedulers. `task` is the environment variable that contains the task's number.
 */
const SCHEDULERS: readonly {
  readonly name: string;
  readonly task: string;
  /**
   * The environment variables that contain the numbers of the first and the last task, the step
   * between task numbers, and the number of tasks. `first` can also be the first task's number
   * itself.
   */
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
    // Outside task arrays, Grid Engine sets `SGE_TASK_ID` to "undefined".
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
