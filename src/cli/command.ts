import { CrispenError } from '../errors.ts';
import { removeUnfinished } from './output.ts';

/** A command line that cannot be understood: exit code 2. */
export class UsageError extends CrispenError {
  constructor(message: string) {
    super('INVALID_INPUT', message, { hint: 'Run with --help for the usage.' });
  }
}

/** What asks a process to end, with its number. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** How long work may take to end by itself. */
const GRACE_MS = 2000;

/**
 * Runs a command and sets the exit code: what `run` returns, 1 for an error, 2 for a
 * usage error. Errors go to stderr as `CODE: message` with the hint below. `signal` fires at Ctrl-C and
 * when the system asks the process to end; the exit code is then 128 and the signal's number, and no
 * temporary file stays behind.
 */
export async function runCommand(
  usage: string,
  run: (args: string[], signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const args = process.argv.slice(2);
  // Behind "--" stand names of files.
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (options.includes('--help') || options.includes('-h')) {
    console.log(usage.trim());
    return;
  }
  const abort = new AbortController();
  let stopped: number | null = null;
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      const end = () => {
        removeUnfinished();
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
      };
      // The second of them, or work that does not listen in time, ends the process as it is.
      if (stopped !== null) return end();
      stopped = 128 + number;
      abort.abort();
      setTimeout(end, GRACE_MS).unref();
    });
  }
  try {
    process.exitCode = await run(args, abort.signal);
  } catch (thrown) {
    const error = isParseError(thrown) ? new UsageError(thrown.message) : CrispenError.from(thrown);
    console.error(`${error.code}: ${error.message}`);
    if (error.hint) console.error(error.hint);
    if (error.code === 'INTERNAL' && error.cause instanceof Error) console.error(error.cause.stack);
    process.exitCode = stopped ?? (error instanceof UsageError ? 2 : 1);
  }
}

/** What `parseArgs` of node:util throws. */
function isParseError(thrown: unknown): thrown is Error {
  return (
    thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('ERR_PARSE_ARGS_')
  );
}

/** @throws UsageError if the value is none of the choices. */
export function choice<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const found = choices.find((name) => name === value);
  if (found === undefined) {
    throw new UsageError(`${option} takes ${choices.join(' or ')}, not "${value}".`);
  }
  return found;
}

/** @throws UsageError if the value is not a whole number above 0. */
export function positiveInteger(option: string, value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new UsageError(`${option} takes a whole number above 0, not "${value}".`);
  }
  return number;
}

/** The option `--input-range`. @throws UsageError if the value is not a number above 0. */
export function inputRangeOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const range = Number(value);
  if (!(range > 0 && Number.isFinite(range))) {
    throw new UsageError(`--input-range takes a number above 0, such as 1 or 255, not "${value}".`);
  }
  return range;
}
