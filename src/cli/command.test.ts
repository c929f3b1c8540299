import { expect, it } from 'vitest';
import { inputRange, type Rule } from '../options.ts';
import { CALLS } from '../worker/page/options.ts';
import { choice, parsed, positiveInteger } from './command.ts';
import { tilingOf } from './tiling.ts';

const usage = expect.objectContaining({ name: 'CrispenError', code: 'INVALID_INPUT' });
const { scale, width, tileSize, method, edge } = CALLS.upscale;

it.each<[string, Rule, unknown]>([
  ['2.7', scale, 2.7],
  ['16', scale, 16],
  ['1e3', width, 1000],
  ['128', tileSize, 128],
  ['255', inputRange, 255],
  ['lanczos', method, 'lanczos'],
  ['wrap', edge, 'wrap'],
])('%s is read by its rule', (text, rule, value) => {
  expect(parsed('--x', text, rule)).toBe(value);
});

it.each<readonly [string, Rule]>([
  ...['', ' ', '0', '-1', 'NaN', 'Infinity', '17', 'two', '2x'].map(
    (text) => [text, scale] as const,
  ),
  ...['', '0', '-1', '1.5', 'NaN', '1e300'].map((text) => [text, width] as const),
  ...['', '0', '0.5', 'Infinity'].map((text) => [text, tileSize] as const),
  ...['', '0', '-255', 'NaN', '1e300'].map((text) => [text, inputRange] as const),
  ...['', 'LANCZOS', 'constructor'].map((text) => [text, method] as const),
])('"%s" is refused in the words of its rule', (text, rule) => {
  const attempt = () => parsed('--x', text, rule);
  expect(attempt).toThrow(usage);
  expect(attempt).toThrow(`--x takes `);
  expect(attempt).toThrow(`not "${text}".`);
});

it('reads lists of choices and counts of its own', () => {
  expect(choice('--device', 'gpu', ['gpu', 'cpu'])).toBe('gpu');
  expect(() => choice('--device', 'tpu', ['gpu', 'cpu'])).toThrow('--device takes gpu or cpu');
  expect(positiveInteger('--repeats', '3')).toBe(3);
  const attempt = () => positiveInteger('--repeats', '0');
  expect(attempt).toThrow('--repeats takes a whole number of 1 or more, not "0".');
  expect(() => tilingOf({ edge: 'mirror' }, 'gpu')).toThrow(
    '--edge takes zero or replicate or wrap',
  );
});
