import { appendFileSync, closeSync, openSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFailed } from '../../codecs/sink.ts';
import type { Work } from './plan.ts';
import type { Shard } from './shard.ts';

/** A journal line that records the result or the error of one image. */
export interface Entry {
  readonly input: string;
  /** The input file's size in bytes. `time` is its modification time in milliseconds since 1970. */
  readonly size: number;
  readonly time: number;
  /** A hash of the options and the weight files that affect the result. */
  readonly settings: string;
  /** The result's path relative to the output folder, with "/" as the separator. */
  readonly output?: string;
  /** The size of the result in bytes. */
  readonly bytes?: number;
  /** The error code, if the image failed. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** A journal line that marks the beginning of a run. */
export interface Begin {
  readonly run: string;
  readonly shard: number;
  readonly of: number;
  /** The number of images in this shard. */
  readonly pictures: number;
}

/** A line, and the name of the file that contains it. */
interface JournalLine {
  readonly file: string;
  readonly line: Entry | Begin;
}

/** Returns the name of a shard's journal file. */
const nameOf = ({ index, of }: Shard): string =>
  of === 1 ? '.crispen.jsonl' : `.crispen.${index}-of-${of}.jsonl`;
const NAME = /^\.crispen(\.\d+-of-\d+)?\.jsonl$/;

/**
 * The journal of an output folder. It consists of append-only files of JSON lines. If the work is
 * divided into shards, each shard writes its own file and reads the files of all shards.
 */
export class Journal {
  readonly #folder: string;
  /** The file descriptor; null if the journal is read-only. */
  readonly #file: number | null;
  /** The last entry for each input. */
  readonly #entries = new Map<string, Entry>();

  private constructor(folder: string, file: number | null, lines: readonly JournalLine[]) {
    this.#folder = folder;
    this.#file = file;
    for (const { line } of lines) if ('input' in line) this.#entries.set(line.input, line);
  }

  /**
   * Opens a folder's journal for writing.
   * @param folder an existing folder
   * @throws CrispenError `WRITE_FAILED`
   */
  static async open(folder: string, shard: Shard): Promise<Journal> {
    const lines = await readJournals(folder);
    try {
      const file = openSync(join(folder, nameOf(shard)), 'a');
      // If an earlier run was killed, the file might end with an incomplete line.
      if (lines.length > 0) appendFileSync(file, '\n');
      return new Journal(folder, file, lines);
    } catch (cause) {
      throw writeFailed(cause);
    }
  }

  /** Reads a folder's journal. The folder does not have to exist. */
  static async read(folder: string): Promise<Journal> {
    return new Journal(folder, null, await readJournals(folder).catch(() => []));
  }

  /**
   * Returns whether the output file of `wanted` exists and is up to date. It is up to date if the
   * input file and the settings have not changed since it was produced. Returns false if the result
   * was replaced with a file of a different size.
   */
  async isDone(wanted: Entry & { readonly output: string }): Promise<boolean> {
    const entry = this.#entries.get(wanted.input);
    if (entry?.bytes === undefined || entry.output !== wanted.output) return false;
    if (entry.settings !== wanted.settings) return false;
    if (entry.size !== wanted.size || entry.time !== wanted.time) return false;
    const there = await stat(join(this.#folder, entry.output)).catch(() => null);
    return there?.isFile() === true && there.size === entry.bytes;
  }

  /** Returns whether the journal contains an entry for this result with these settings. */
  lists({ relative, output }: Work, settings: string): boolean {
    const entry = this.#entries.get(relative);
    return entry?.output === output && entry.settings === settings;
  }

  /**
   * Appends a line with a single write, so the line is complete unless the process is killed during
   * that write.
   * @throws CrispenError `WRITE_FAILED`
   */
  append(line: Entry | Begin): void {
    try {
      appendFileSync(this.#file ?? -1, `${JSON.stringify(line)}\n`);
    } catch (cause) {
      throw writeFailed(cause);
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }
}

/**
 * Reads all lines of a folder's journal files, in the order of the file names. Lines that are
 * neither an `Entry` nor a `Begin` are skipped.
 */
export async function readJournals(folder: string): Promise<JournalLine[]> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  const lines = [];
  for (const file of names) {
    for (const text of (await readFile(join(folder, file), 'utf8')).split('\n')) {
      const line = parse(text);
      if (line) lines.push({ file, line });
    }
  }
  return lines;
}

function parse(text: string): Entry | Begin | null {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line !== 'object' || line === null) return null;
    return 'input' in line || 'run' in line ? (line as Entry | Begin) : null;
  } catch {
    return null;
  }
}
