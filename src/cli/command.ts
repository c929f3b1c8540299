import type { ParseArgsConfig, parseArgs } from 'node:util';
import { CrispenError } from '../errors.ts';
import { removeUnfinished } from '../node/output.ts';
import { type Choice, inputRange, choice as oneOf, type Rule, whole } from '../options.ts';

/** An error in the command line. It results in exit code 2. */
export class UsageError extends CrispenError {
  constructor(message: string) {
    super('INVALID_INPUT', message, { hint: 'Run with --help for the usage.' });
  }
}

/** The signals that ask a process to terminate, with their numbers. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** How long a command may take to stop after a signal, in milliseconds. */
const GRACE_MS = 2000;

/**
 * Runs a command and sets the exit code to the return value of `run`. If `run` throws, the exit
 * code is 2 for a usage error and 1 for any other error. Errors are printed to stderr as
 * `CODE: message`, with the hint on the next line. `signal` is aborted after Ctrl-C and when the
 * system asks the process to terminate. In these cases, the exit code is 128 plus the signal
 * number, and no temporary file is left behind.
 */
export async function runCommand(
  usage: string,
  run: (args: string[], signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const args = process.argv.slice(2);
  // Errors on these streams are ignored, because the program that reads the output might have
  // exited, as with "| head". When an image is written to stdout, the code that writes it handles
  // the errors.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  // Arguments after "--" are file names.
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
      // A second signal ends the process immediately. The timer below does the same if the command
      // does not stop in time.
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

/** Recognises the errors that `parseArgs` from node:util throws. */
function isParseError(thrown: unknown): thrown is Error {
  return (
    thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('ERR_PARSE_ARGS_')
  );
}

/** The values that `parseArgs` returns for the options `T`. */
export type ValuesOf<T extends NonNullable<ParseArgsConfig['options']>> = ReturnType<
  typeof parseArgs<{ options: T }>
>['values'];

/** The value of an option, as text. It is undefined if the option is absent. */
type Text = string | undefined;

/**
 * Parses the value of an option and checks it with the library's rule for that option.
 * @returns undefined for an option that is absent
 * @throws UsageError if the rule does not accept the value.
 */
export function parsed<T extends string | number, Given extends Text>(
  option: string,
  text: Given,
  rule: Choice<T>,
): T | Extract<Given, undefined>;
export function parsed<Given extends Text>(
  option: string,
  text: Given,
  rule: Rule,
): number | Extract<Given, undefined>;
export function parsed(option: string, text: Text, rule: Rule | Choice<string | number>) {
  if (text === undefined) return undefined;
  const isChoice = 'of' in rule;
  // Without this check, an empty value would be read as 0.
  const number = text.trim() === '' ? Number.NaN : Number(text);
  const value = isChoice ? rule.of.find((name) => String(name) === text) : number;
  if (rule.accepts(value)) return value;
  const wants = isChoice ? rule.of.join(' or ') : rule.wants;
  throw new UsageError(`${option} takes ${wants}, not "${text}".`);
}

/** @throws UsageError if the value is not one of the choices. */
export const choice = <T extends string, Given extends Text>(
  option: string,
  text: Given,
  choices: readonly T[],
) => parsed(option, text, oneOf(choices));

/** @throws UsageError if the value is not a whole number above 0. */
export const positiveInteger = <Given extends Text>(option: string, text: Given) =>
  parsed(option, text, whole(1));

/** @throws UsageError if the value is not a number that is above 0 and at most 2^32. */
export const positiveNumber = <Given extends Text>(option: string, text: Given) =>
  parsed(option, text, inputRange);
