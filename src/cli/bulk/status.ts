import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CrispenError } from '../../errors.ts';
import { UsageError } from '../command.ts';
import { type Begin, type Entry, readJournals } from './journal.ts';
import { show } from './plan.ts';
import { shardWith } from './shard.ts';

/** The state of an output folder. */
export interface Status {
  readonly done: number;
  readonly failed: readonly Pick<Entry, 'input' | 'code' | 'message'>[];
  /** The number of images that no shard has reported yet; null if some shard has never started. */
  readonly missing: number | null;
  /** The results that no longer exist, or whose files now have a different size. */
  readonly lost: readonly string[];
  /** The shards to run again, as values of `--shard`. */
  readonly again: readonly string[];
}

/**
 * Runs the command `crispen status DIR`, which summarises the journal files of all shards. The exit
 * code is 1 if any shard has to be run again.
 */
export async function statusCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length > 0) throw new UsageError('Name one output folder.');
  const status = await statusOf(folder);
  const { done, failed, missing, lost, again } = status;
  if (values.json) console.log(JSON.stringify(status));
  else {
    const left = missing === null ? 'unknown, some shards never began' : missing;
    console.log(`${done} done, ${failed.length} failed, missing: ${left}`);
    for (const { input, code, message } of failed)
      console.log(`${show(input)}: ${code}: ${message}`);
    for (const output of lost) console.log(`${show(output)}: the result is gone`);
    if (again.length > 0)
      console.log(`to run again: ${again.map((s) => `--shard ${s}`).join(', ')}`);
  }
  return again.length === 0 ? 0 : 1;
}

/**
 * Computes the status of a folder.
 * @throws CrispenError `INVALID_INPUT` if the folder has no journal, or if no line of the journal
 * marks the beginning of a run
 */
export async function statusOf(folder: string): Promise<Status> {
  const lines = await readJournals(folder).catch(() => []);
  if (lines.length === 0) {
    throw new CrispenError('INVALID_INPUT', `${show(folder)} has no .crispen.jsonl.`, {
      hint: 'Name the folder of --out.',
    });
  }
  const begun = new Map<string, Begin>();
  const latest = new Map<string, Entry>();
  for (const { file, line } of lines) {
    if ('run' in line) begun.set(file, line);
    else latest.set(line.input, line);
  }
  if (begun.size === 0) {
    throw new CrispenError('INVALID_INPUT', `The journal in ${show(folder)} is damaged.`, {
      hint: 'Run crispen on the same images again. It keeps finished results.',
    });
  }
  // The newest run determines the number of shards, because earlier runs might have used a
  // different number.
  const newest = [...begun.values()].reduce((a, b) => (a.run > b.run ? a : b));
  const shards = [...begun.values()].filter(({ of }) => of === newest.of);
  const open = new Set(Array.from({ length: newest.of }, (_, i) => i + 1));
  for (const { shard } of shards) open.delete(shard);
  const failed: Entry[] = [];
  const lost: string[] = [];
  /** The number of reported images in each shard. The keys are the numbers of the shards. */
  const counted = new Map<number, number>();
  let done = 0;
  for (const entry of latest.values()) {
    const shard = shardWith(entry.input, newest.of);
    counted.set(shard, (counted.get(shard) ?? 0) + 1);
    if (entry.code === undefined && (await isThere(folder, entry))) {
      done++;
      continue;
    }
    if (entry.code === undefined) lost.push(entry.output as string);
    else failed.push(entry);
    open.add(shard);
  }
  const pictures = shards.reduce((sum, { pictures }) => sum + pictures, 0);
  for (const { shard, pictures } of shards) {
    if ((counted.get(shard) ?? 0) < pictures) open.add(shard);
  }
  const known = done + failed.length + lost.length;
  return {
    done,
    failed: failed.map(({ input, code, message }) => ({ input, code, message })),
    missing: shards.length < newest.of ? null : Math.max(0, pictures - known),
    lost,
    again: [...open].sort((a, b) => a - b).map((shard) => `${shard}/${newest.of}`),
  };
}

async function isThere(folder: string, { output, bytes }: Entry): Promise<boolean> {
  const found = await stat(join(folder, output as string)).catch(() => null);
  return found?.size === bytes;
}
