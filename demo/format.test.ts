import { describe, expect, it } from 'vitest';
import {
  dimensions,
  distinctNames,
  duration,
  fileSize,
  megapixels,
  patternName,
  resultName,
  roughly,
  timeLeft,
} from './format.ts';

describe('duration', () => {
  it.each([
    [3, '0.1 s'],
    [842, '0.8 s'],
    [9940, '9.9 s'],
    [9960, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [200_000, '3 min 20 s'],
    [3_599_700, '1 h'],
    [3_900_000, '1 h 5 min'],
  ])('%d ms is %s', (milliseconds, words) => expect(duration(milliseconds)).toBe(words));
});

describe('roughly', () => {
  it.each([
    [10, 'about 1 s'],
    [12_300, 'about 12 s'],
    [42_000, 'about 40 s'],
    [58_000, 'about 1 min'],
    [170_000, 'about 3 min'],
    [5_300_000, 'about 1.5 h'],
  ])('%d ms is %s', (milliseconds, words) => expect(roughly(milliseconds)).toBe(words));
});

describe('timeLeft', () => {
  it('says nothing before it knows', () => expect(timeLeft(null)).toBe(''));
  it('does not count the last second', () => expect(timeLeft(400)).toBe('a moment left'));
  it('estimates', () => expect(timeLeft(12_000)).toBe('about 12 s left'));
});

describe('sizes', () => {
  it('names dimensions and megapixels', () => {
    expect(dimensions(902, 600)).toBe('902 × 600');
    expect(megapixels(902, 600)).toBe('0.5');
    expect(megapixels(8000, 6000)).toBe('48');
  });
});

describe('resultName', () => {
  it.each([
    ['cat.jpg', '@2x', 'png', 'cat@2x.png'],
    ['./samples/cat.jpeg', '@4x', 'webp', 'cat@4x.webp'],
    ['C:\\photos\\a.b.PNG', '@3x', 'jpg', 'a.b@3x.jpg'],
    ['no extension', '@2x', 'png', 'no extension@2x.png'],
    ['v1.final version', '@2x', 'png', 'v1.final version@2x.png'],
    ['.png', '@2x', 'png', 'picture@2x.png'],
    ['', '@2x', 'png', 'picture@2x.png'],
  ])('%s %s as %s becomes %s', (source, what, extension, name) => {
    expect(resultName(source, what, extension)).toBe(name);
  });
});

describe('patternName', () => {
  const parts = { name: 'cat', size: '@2x', model: 'Photo', width: 602, height: 400 };
  it.each([
    ['{name}{size}', 'cat@2x.png'],
    ['{name} {model} {width}x{height}', 'cat Photo 602x400.png'],
    ['big/{name}:{nonsense}', 'big-cat-{nonsense}.png'],
    ['..', 'cat@2x.png'],
    ['   ', 'cat@2x.png'],
  ])('%s: %s', (pattern, name) => expect(patternName(pattern, parts, 'png')).toBe(name));
});

it('fileSize', () => {
  expect([1, 320_400, 1_240_000, 12_400_000].map(fileSize)).toEqual([
    '1 KB',
    '320 KB',
    '1.2 MB',
    '12 MB',
  ]);
});

it('distinctNames counts names that are there already', () => {
  expect(distinctNames(['cat.png', 'dog.png', 'Cat.png', 'cat.png', 'cat (2).png', 'x'])).toEqual([
    'cat.png',
    'dog.png',
    'Cat (2).png',
    'cat (3).png',
    'cat (2) (2).png',
    'x',
  ]);
});
