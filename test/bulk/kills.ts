import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomStream } from '../random.ts';
import { writeFiles } from './files.ts';
import { crispen, type Program } from './program.ts';

export interface KillCounts {
  /** The number of runs that were killed before they finished. */
  readonly kills: number;
  readonly pictures: number;
  /** The results that differ from the uninterrupted run's. */
  readonly different: readonly string[];
  /**
   * The largest number of pictures that a killed run had started and the next run processed again.
   */
  readonly twice: number;
  readonly jobs: number;
  readonly temporary: readonly string[];
}

/**
 * Kills runs with SIGKILL at random moments and restarts them. The moments are spread over the
 * duration of a whole run, including its start-up.
 */
export async function kills({
  program,
  folder,
  weights,
  rounds,
  pictures,
  seed,
  args,
  say,
}: {
  readonly program: Program;
  readonly folder: string;
  readonly weights: string;
  readonly rounds: number;
  readonly pictures: number;
  readonly seed: number;
  readonly args: readonly string[];
  readonly say: (text: string) => void;
}): Promise<KillCounts> {
  const random = randomStream(seed);
  const jobs = 3;
  const from = join(folder, 'in');
  const { good } = await writeFiles(from, pictures, 0, seed);
  const run = (out: string) =>
    [
      from,
      '--out',
      out,
      '--recursive',
      '--weights',
      weights,
      '--jobs',
      `${jobs}`,
      ...args,
    ] as const;
  const whole = join(folder, 'whole');
  const { seconds } = await crispen(program, run(whole));
  const expected = await hashesOf(whole);
  const counts = { kills: 0, twice: 0 };
  const different: string[] = [];
  const temporary: string[] = [];
  while (counts.kills < rounds) {
    const out = join(folder, 'out');
    await rm(out, { recursive: true, force: true });
    await mkdir(out);
    const { code } = await crispen(program, run(out), {
      onStart: (child) => void setTimeout(() => child.kill('SIGKILL'), random() * seconds * 1000),
    });
    // The run ended before the signal was sent.
    if (code !== null) continue;
    counts.kills++;
    const files = await treeOf(out);
    const journal = await readFile(join(out, '.crispen.jsonl'), 'utf8').catch(() => '');
    const recorded = new Set(
      [...journal.matchAll(/"output":("(?:[^"\\]|\\.)*"),"bytes"/g)].map(([, text]) =>
        JSON.parse(text),
      ),
    );
    // Appends an incomplete line, such as a kill could leave behind. This line must not hide other
    // entries.
    await writeFile(join(out, '.crispen.jsonl'), `${journal}{"input":"half`);
    const begun = files.filter((f) => f.endsWith('.tmp')).length;
    const unrecorded = files.filter((f) => f in expected && !recorded.has(f)).length;
    const twice = begun + unrecorded;
    counts.twice = Math.max(counts.twice, twice);
    const again = await crispen(program, run(out));
    const made = Number(again.lines.at(-1)?.made);
    const lacking = Object.keys(expected).length - recorded.size;
    say(
      `kill ${counts.kills}: ${recorded.size} recorded, ${begun} begun, ${unrecorded} unrecorded; then ${made} made`,
    );
    if (made !== lacking) different.push(`${made} made, not ${lacking}`);
    const found = await hashesOf(out);
    for (const name of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      if (expected[name] !== found[name]) different.push(name);
    }
    temporary.push(...(await treeOf(out)).filter((name) => name.endsWith('.tmp')));
  }
  return {
    kills: counts.kills,
    pictures: good.length,
    different,
    twice: counts.twice,
    jobs,
    temporary,
  };
}

/** Returns the paths of all files in a folder, with "/" as separator. */
export async function treeOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Returns the hashes of a folder's results, by file name. */
export async function hashesOf(folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of await treeOf(folder)) {
    if (/(^|\/)\.crispen/.test(name)) continue;
    const bytes = await readFile(join(folder, name));
    hashes[name] = createHash('sha256').update(bytes).digest('hex');
  }
  return hashes;
}
