/**
 * Wrong option values, and random requests that contain some of them, for Node and for pages. The
 * list of wrong values is independent of the rules, because values derived from the rules would
 * prove nothing.
 */
import type { Rule } from '../src/options.ts';
import { CALLS } from '../src/worker/page/options.ts';
import { randomStream } from './random.ts';

export type CallName = keyof typeof CALLS;

const notNumbers = ['2', 'abc', '', true, 2n];
const notStrings = [0, -1, 1e300, Number.NaN, true, 2n];
const notObjects = [...notStrings, 'abc', ''];
/**
 * Values that are wrong for every option, except for options that accept any function or any object
 * of this shape.
 */
const others = () => [null, {}, [], [2], new Date(0), Symbol('s'), new Map()];
const aFunction = () => 2;

const WRONG: Readonly<Record<string, () => unknown[]>> = {
  number: () => [
    ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e300],
    ...[...notNumbers, ...others(), aFunction],
  ],
  choice: () => [
    ...[...notStrings, ...others(), aFunction],
    ...['', 'nonsense', 'constructor', '__proto__', ['keep']],
  ],
  tune: () => [0, 1, -1, 1e300, Number.NaN, 'true', 'fast', '', ...others(), aFunction],
  flag: () => [0, 1, -1, 1e300, Number.NaN, 'true', '', ...others(), aFunction],
  text: () => [...notStrings, ...others(), aFunction, ['a2n-x2']],
  function: () => [...notObjects, ...others()],
  signal: () => [
    ...[...notObjects, ...others(), aFunction],
    ...[{ aborted: false }, new EventTarget(), new AbortController()],
  ],
  box: () => [
    ...[...notObjects, ...others(), aFunction, '5x5', [5, 5], { width: 5 }],
    ...[Number.NaN, '5', -5, 1e300, null, 0, 2.5].flatMap((side) => [
      { width: side, height: 5 },
      { width: 5, height: side },
    ]),
  ],
  integrity: () => [
    ...[...notStrings, ...others(), aFunction],
    ...['', 'sha1-abcd', 'sha256', 'sha256-', 'sha256-ab cd', 'deadbeef'],
  ],
  region: () => [
    ...[...notObjects, ...others(), aFunction, [0, 0, 5, 5], { width: 5, height: 5 }],
    ...[Number.NaN, '5', -5, 1e300, null, 2.5].flatMap((side) => [
      { x: side, y: 0, width: 5, height: 5 },
      { x: 0, y: 0, width: side, height: 5 },
    ]),
  ],
  url: () => [...notStrings, ...others(), aFunction, { href: 'models/' }],
  target: () => [...notObjects, ...others(), aFunction, { kind: 'file' }, { locked: false }],
};

/** Returns values that an option must reject. */
export function wrongValues(rule: Rule): unknown[] {
  const whole = rule.wants.includes('whole') ? [0, 0.5, 10.5, 2 ** 53] : [];
  return [...(WRONG[rule.kind]?.() ?? []), ...whole];
}

/** A valid value for each option, by name. */
export const RIGHT: Readonly<Record<string, () => unknown>> = {
  baseUrl: () => 'models/',
  worker: () => () => new Worker('worker.js'),
  integrity: () => 'sha256-dGhpcw== sha384-dGhhdA==',
  cache: () => false,
  memoryBudget: () => 1e8,
  precision: () => 'f32',
  tune: () => 'quick',
  signal: () => new AbortController().signal,
  onProgress: () => () => {},
  scale: () => 2,
  likelyScale: () => 4,
  inputRange: () => 255,
  width: () => 6,
  height: () => 4,
  fit: () => ({ width: 6, height: 4 }),
  region: () => ({ x: 0, y: 0, width: 6, height: 4 }),
  maxPixels: () => 1024,
  model: () => 'a2n-x2',
  task: () => 'upscale',
  name: () => 'mine-x2.pth',
  method: () => 'lanczos',
  edge: () => 'wrap',
  tileSize: () => 64,
  confirm: () => () => true,
  backend: () => 'cpu',
  threads: () => 2,
  depth: () => 8,
  output: () => 'image/webp',
  type: () => 'image/png',
  to: () => new WritableStream(),
  preview: () => 10.5,
  quality: () => 0.5,
  metadata: () => 'keep',
  f16: () => true,
};

const UNKNOWN_MODELS = ['a3n-x2', '', '__proto__', 'constructor', 'A2N-X2'];
const TYPOS = ['scal', 'Scale', 'outputs', 'hasOwnProperty', '__proto_', 'onprogress'];

export interface WrongCall {
  readonly call: CallName;
  readonly options: unknown;
}

/**
 * Returns calls with one to four options, at least one of them wrong, or with options that are not
 * an object.
 */
export function wrongCalls(seed: number, count: number): WrongCall[] {
  const random = randomStream(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)];
  const calls = Object.keys(CALLS) as CallName[];
  return Array.from({ length: count }, () => {
    const call = pick(calls);
    const rules: Readonly<Record<string, Rule>> = CALLS[call];
    if (below(12) === 0) return { call, options: pick([null, 5, 'x', [], aFunction, new Map()]) };
    const options: Record<string, unknown> = {};
    const wrong = below(4);
    for (let i = 0; i <= wrong; i++) {
      const name = pick(Object.keys(rules));
      if (name in options) continue;
      const isWrong = i === 0 || below(2) === 0;
      options[name] = isWrong ? pick(wrongValues(rules[name])) : RIGHT[name]();
    }
    if ('model' in rules && below(6) === 0)
      return { call, options: { model: pick(UNKNOWN_MODELS) } };
    if (below(10) === 0) options[pick(TYPOS)] = 2;
    return { call, options };
  });
}
