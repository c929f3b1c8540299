import { expect, it } from 'vitest';
import { MODEL_FILES } from './files.ts';
import { choosePasses, modelsAfter, modelsFor } from './passes.ts';

it.each<[number, number[], number[]]>([
  [2, [2, 3, 4], [2]],
  [1.5, [2, 3, 4], [2]],
  [1.01, [2, 3, 4], [2]],
  [2.7, [2, 3, 4], [3]],
  [3.5, [4, 2, 3], [4]],
  [3, [2, 4], [4]],
  [5, [2, 3, 4], [2, 3]],
  [8, [2, 3, 4], [2, 4]],
  [9, [2, 3, 4], [3, 3]],
  [16, [2, 3, 4], [4, 4]],
  [8, [2], [2, 2, 2]],
  [6, [4], [4, 4]],
  [3 * (1 / 3) * 2, [2], [2]],
  [1, [2, 3, 4], []],
  [0.3, [2], []],
])('%f with networks of %j: passes %j', (factor, scales, expected) => {
  expect(choosePasses(factor, scales)).toEqual(expected);
});

it.each<[number, number[]]>([
  [Number.NaN, [2]],
  [Number.POSITIVE_INFINITY, [2]],
  [2, []],
  [2, [1]],
  [2, [2, Number.NaN]],
])('ends where %f cannot be reached by %j', (factor, scales) => {
  expect(() => choosePasses(factor, scales)).toThrow(/reach/);
});

it.each<[number, string[]]>([
  [1, ['mine']],
  [0.5, ['mine']],
  [2, ['mine', 'a2n-photo-x2']],
  [8, ['mine', 'a2n-photo-x2', 'a2n-photo-x4']],
])('a model that restores, by %f: %j', (factor, expected) => {
  expect(modelsAfter(MODEL_FILES, factor, { id: 'mine', scale: 1 }).map(({ id }) => id)).toEqual(
    expected,
  );
});

it('another model is run as often as it takes', () => {
  const mine = { id: 'mine', scale: 2 };
  expect(modelsAfter(MODEL_FILES, 8, mine)).toEqual([mine, mine, mine]);
  expect(modelsAfter(MODEL_FILES, 0.5, mine)).toEqual([]);
});

it.each<[number, string | undefined, string[]]>([
  [2, undefined, ['a2n-photo-x2']],
  [3, undefined, ['pan-photo-x3']],
  [1.5, undefined, ['a2n-photo-x2']],
  [2.7, 'a2n-x2', ['a2n-x3']],
  [2.7, 'a2n-photo-x2', ['a2n-photo-x4']],
  [8, 'a2n-photo-x4', ['a2n-photo-x2', 'a2n-photo-x4']],
  [8, 'a2n-x3', ['a2n-x2', 'a2n-x4']],
  [0.5, 'a2n-x2', []],
])('shipped models by %f, %s chosen: %j', (factor, model, expected) => {
  expect(modelsFor(MODEL_FILES, factor, model).map(({ id }) => id)).toEqual(expected);
});

it('knows no other models', () => {
  expect(() => modelsFor(MODEL_FILES, 2, 'a3n-x2')).toThrow(
    expect.objectContaining({ code: 'MODEL_UNKNOWN' }),
  );
});
