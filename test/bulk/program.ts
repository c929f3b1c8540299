import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** The arguments that start `crispen`, either the built program or its source. */
export type Program = readonly string[];
export const BUILT: Program = [path('bin/crispen.mjs')];
export const SOURCE: Program = [path('scripts/run.mjs'), path('src/cli/crispen.ts')];

/** A line that `--json` prints. */
export type Line = Readonly<Record<string, unknown>>;

export interface Ran {
  readonly code: number | null;
  readonly lines: readonly Line[];
  /** The text that the process wrote to standard error. */
  readonly said: string;
  /** The time from the process's start to its end. */
  readonly seconds: number;
}

export interface RunHooks {
  readonly onLine?: (line: Line, count: number, child: ChildProcess) => void;
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs `crispen` with `--json`. */
export async function crispen(
  program: Program,
  args: readonly string[],
  { onLine, onStart }: RunHooks = {},
): Promise<Ran> {
  const started = performance.now();
  const child = spawn(process.execPath, [...program, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onStart?.(child);
  const lines: Line[] = [];
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  createInterface({ input: child.stdout }).on('line', (text) => {
    // A killed process can leave an incomplete line.
    if (!text.endsWith('}')) return;
    const line: Line = JSON.parse(text);
    lines.push(line);
    onLine?.(line, lines.length, child);
  });
  const [code] = await once(child, 'close');
  return { code, lines, said, seconds: (performance.now() - started) / 1000 };
}

/** Returns the resident memory of a running process, in MiB. */
export function residentMiB({ pid }: ChildProcess): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
}
