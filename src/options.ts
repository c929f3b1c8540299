/**
 * Rules for the options of the library's calls. A rule describes the allowed values in words and
 * contains a function that checks a value. The library uses the rules to check calls before any
 * work starts. The command line uses them to read its arguments, and the tests use them to generate
 * invalid values.
 */
import { CrispenError } from './errors.ts';

export interface Rule {
  /** The kind of value. Tests use it to generate invalid values. */
  readonly kind: string;
  /** A description of the allowed values, such as `a number from 0 to 1`. */
  readonly wants: string;
  readonly accepts: (value: unknown) => boolean;
  /**
   * Returns a plain copy of an object, so that later changes to the object have no effect. Unlike
   * the proxy objects of some frameworks, a plain copy can also be sent to a worker.
   */
  readonly copy?: (value: never) => unknown;
}

/** A rule for each option of a call. */
export type Rules<Options> = { readonly [Name in keyof Options]-?: Rule };

export interface Choice<T extends string | number> extends Rule {
  readonly of: readonly T[];
}

/** The maximum side length of any image, in pixels. This is PNG's limit. */
const MAX_SIDE = 2 ** 31 - 1;

/**
 * Accepts a finite number up to `max`. The lower limit is `min` (inclusive) or `above` (exclusive).
 */
export function number(range: {
  readonly min?: number;
  readonly above?: number;
  readonly max: number;
}): Rule {
  const { min, above = Number.NEGATIVE_INFINITY, max } = range;
  return {
    kind: 'number',
    wants:
      min === undefined
        ? `a number above ${above} and up to ${max}`
        : `a number from ${min} to ${max}`,
    accepts: (value) =>
      typeof value === 'number' && value >= (min ?? above) && value > above && value <= max,
  };
}

/**
 * Accepts a whole number from `min` to `max`, inclusive. The default maximum is the largest safe
 * integer.
 */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER, unit = ''): Rule {
  const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`;
  return {
    kind: 'number',
    wants: `a whole number${unit && ` of ${unit}`} ${range}`,
    accepts: (value) => Number.isSafeInteger(value) && min <= Number(value) && Number(value) <= max,
  };
}

/** Accepts the length of an image side. */
export const side = (min = 1): Rule => whole(min, MAX_SIDE, 'pixels');

/** Accepts the upper end of a network's input range, such as 1 or 255. */
export const inputRange = number({ above: 0, max: 2 ** 32 });

export const choice = <T extends string | number>(of: readonly T[]): Choice<T> => ({
  kind: 'choice',
  wants: `one of ${of.join(', ')}`,
  accepts: (value) => (of as readonly unknown[]).includes(value),
  of,
});

export const flag: Rule = {
  kind: 'flag',
  wants: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};

/** @param what a description of the string, such as `the id of a model` */
export const text = (what: string): Rule => ({
  kind: 'text',
  wants: `${what}, a string`,
  accepts: (value) => typeof value === 'string',
});

/**
 * Accepts any object whose properties and methods have the types in `shape`. The object's class and
 * realm do not matter.
 */
export const shaped = (
  kind: string,
  wants: string,
  shape: Readonly<Record<string, string>>,
): Rule => ({
  kind,
  wants,
  accepts: (value) =>
    isObject(value) && Object.entries(shape).every(([name, type]) => typeof value[name] === type),
});

export const callback: Rule = {
  kind: 'function',
  wants: 'a function',
  accepts: (value) => typeof value === 'function',
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/**
 * Checks each option of a call against its rule. Undefined options are omitted. The result is a new
 * object, so later changes by the caller have no effect.
 *
 * Unknown names are errors, because most of them are typos. If a misspelt name were ignored, the
 * caller would silently get a different result.
 *
 * @param call the name of the call, for messages
 * @throws CrispenError `INVALID_INPUT`
 */
export function checkOptions<Options extends object>(
  call: string,
  options: Options | undefined,
  rules: Rules<Options>,
): Options {
  const given: unknown = options === undefined ? {} : options;
  // Rejects arrays and platform objects, such as an AbortSignal.
  if (!isObject(given) || Object.prototype.toString.call(given) !== '[object Object]') {
    throw invalid(`The options of ${call} are ${show(given)}.`, 'Give an object, or nothing.');
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(rules, name) || given[name] === undefined) continue;
    throw invalid(
      `${call} has no option ${show(name)}.`,
      `Its options: ${Object.keys(rules).join(', ')}.`,
    );
  }
  return checkFields('The option', given as Options, rules);
}

/**
 * Checks those fields of an object that have a rule. Undefined fields are omitted.
 * @param what how messages refer to a field, such as `The option`
 * @throws CrispenError `INVALID_INPUT`
 */
export function checkFields<T extends object>(what: string, given: T, rules: Rules<T>): T {
  const checked: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries<Rule>(rules)) {
    const value = given[name as keyof T];
    if (value !== undefined) checked[name] = checkValue(`${what} ${name}`, value, rule);
  }
  return checked as T;
}

/**
 * Checks a value against its rule. Returns the value, or a copy if the rule has `copy`.
 * @param what the beginning of the message, such as `The width`
 * @throws CrispenError `INVALID_INPUT`
 */
export function checkValue<T>(what: string, value: T, rule: Rule): T {
  if (!rule.accepts(value)) throw invalid(`${what} is ${show(value)}.`, `Give ${rule.wants}.`);
  return (rule.copy ? rule.copy(value as never) : value) as T;
}

/** Converts any value to text for a message, and truncates long text. */
function show(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (isObject(value)) return `an object (${Object.prototype.toString.call(value).slice(8, -1)})`;
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown;
}

export const invalid = (message: string, hint: string, cause?: unknown): CrispenError =>
  new CrispenError('INVALID_INPUT', message, { hint, cause });
