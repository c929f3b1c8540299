import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** How to start `crispen`: as it was built, or from its source. */
export type Program = readonly string[];
export const BUILT: Program = [path('bin/crispen.mjs')];
export const SOURCE: Program = [path('scripts/run.mjs'), path('src/cli/crispen.ts')];

/** A line of `--json`. */
export type Line = Readonly<Record<string, unknown>>;

export interface Ran {
  readonly code: number | null;
  readonly lines: readonly Line[];
  /** What it wrote to standard error. */
  readonly said: string;
  /** From the start of the process to its end. */
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
    // A killed process may leave half a line.
    if (!text.endsWith('}')) return;
    const line: Line = JSON.parse(text);
    lines.push(line);
    onLine?.(line, lines.length, child);
  });
  const [code] = await once(child, 'close');
  return { code, lines, said, seconds: (performance.now() - started) / 1000 };
}

/** MiB of memory that a running process holds. */
export function residentMiB({ pid }: ChildProcess): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
}
