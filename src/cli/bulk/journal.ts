import { appendFileSync, closeSync, openSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFailed } from '../../codecs/sink.ts';
import type { Work } from './plan.ts';
import type { Shard } from './shard.ts';

/** A picture that was made or that failed. */
export interface Entry {
  readonly input: string;
  /**
   * The size of the input file in bytes. `time` is its modification time in milliseconds since
   * 1970.
   */
  readonly size: number;
  readonly time: number;
  /** A hash of everything else that affects the result. */
  readonly settings: string;
  /** The path of the result below the output folder, with "/". */
  readonly output?: string;
  /** The size of the result in bytes. */
  readonly bytes?: number;
  /** The error code of a picture that failed. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** The beginning of a run. */
export interface Begin {
  readonly run: string;
  readonly shard: number;
  readonly of: number;
  /** The number of pictures in this shard. */
  readonly pictures: number;
}

/** Returns the name of a shard's journal file. */
const nameOf = ({ index, of }: Shard): string =>
  of === 1 ? '.crispen.jsonl' : `.crispen.${index}-of-${of}.jsonl`;
const NAME = /^\.crispen(\.\d+-of-\d+)?\.jsonl$/;

/**
 * A journal of the work in an output folder. It consists of JSON lines and is only appended to.
 * Each shard writes its own file and reads the files of all shards.
 */
export class Journal {
  readonly #folder: string;
  /** The file descriptor; null if the journal is only read. */
  readonly #file: number | null;
  /** The last entry of each input. */
  readonly #entries = new Map<string, Entry>();

  private constructor(folder: string, file: number | null) {
    this.#folder = folder;
    this.#file = file;
  }

  /**
   * Opens the journal of a folder for writing.
   * @param folder an existing folder
   * @throws CrispenError `WRITE_FAILED`
   */
  static async open(folder: string, shard: Shard): Promise<Journal> {
    const lines = await readJournals(folder);
    try {
      const file = openSync(join(folder, nameOf(shard)), 'a');
      // If an earlier run was killed, the file may end with an incomplete line.
      if (lines.length > 0) appendFileSync(file, '\n');
      return new Journal(folder, file).#with(lines);
    } catch (cause) {
      throw writeFailed(cause);
    }
  }

  /** Reads the journal of a folder, which does not need to exist. */
  static async read(folder: string): Promise<Journal> {
    return new Journal(folder, null).#with(await readJournals(folder).catch(() => []));
  }

  #with(lines: Awaited<ReturnType<typeof readJournals>>): this {
    for (const { line } of lines) if ('input' in line) this.#entries.set(line.input, line);
    return this;
  }

  /**
   * Returns whether a picture's result exists and was made from the same file with the same
   * settings. If a result was replaced with a file of another size, it is made again.
   */
  async isDone(wanted: Entry & { readonly output: string }): Promise<boolean> {
    const entry = this.#entries.get(wanted.input);
    if (entry?.bytes === undefined || entry.output !== wanted.output) return false;
    if (entry.settings !== wanted.settings) return false;
    if (entry.size !== wanted.size || entry.time !== wanted.time) return false;
    const there = await stat(join(this.#folder, entry.output)).catch(() => null);
    return there?.isFile() === true && there.size === entry.bytes;
  }

  /** Returns whether the journal has an entry for a result with these settings. */
  lists({ relative, output }: Work, settings: string): boolean {
    const entry = this.#entries.get(relative);
    return entry?.output === output && entry.settings === settings;
  }

  /**
   * Appends a line in one write, so it is complete unless the process is killed during the write.
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

/** Reads all lines of a folder's journals in order. Lines that are not JSON are skipped. */
export async function readJournals(
  folder: string,
): Promise<{ readonly file: string; readonly line: Entry | Begin }[]> {
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
