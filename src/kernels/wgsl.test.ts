import { expect, test } from 'vitest';
import { expand } from './wgsl.ts';

const lines = (...text: string[]) => text.join('\n');
const one = (text: string, defines = {}) => expand('a', { a: text }, defines);

test('#for repeats its body for whole numbers; loops nest and their bounds may be sums', () => {
  const text = lines(
    'fn f() {',
    '  #for p in 0..P',
    '    #for q in p..p+2',
    '      s{p} += v{q+1};',
    '    #end',
    '  #end',
    '}',
  );
  expect(one(text, { P: 2 })).toBe(
    lines('fn f() {', '  s0 += v1;', '  s0 += v2;', '  s1 += v2;', '  s1 += v3;', '}', ''),
  );
  expect(one('#for p in 3..3\nx{p}\n#end\ny')).toBe('y\n');
  expect(one('#for p in N-2..N\nx{p - 1}\n#end', { N: 3 })).toBe('x0\nx1\n');
});

test('#if takes the first part where its value is not zero', () => {
  const text = '#if A\na\n#if B-1\nb\n#end\n#else\nc\n#end';
  expect(one(text, { A: true, B: 2 })).toBe('a\nb\n');
  expect(one(text, { A: 1, B: 1 })).toBe('a\n');
  expect(one(text, { A: false, B: 2 })).toBe('c\n');
});

test('#import inserts declarations once and pieces with arguments each time', () => {
  const sources = {
    main: lines(
      '#import lib/x',
      '#import lib/y',
      'fn main() {',
      '  #for t in 0..2',
      '    #import piece s=p from=t+1',
      '  #end',
      '}',
    ),
    'lib/x': 'const X = {N}u;',
    'lib/y': '#import lib/x\nconst Y = X;',
    piece: '// Wants s.\n{s}{from} = {N};\n#if from-1\nlast\n#end',
  };
  expect(expand('main', sources, { N: 7 })).toBe(
    lines(
      'const X = 7u;',
      'const Y = X;',
      'fn main() {',
      '  p1 = 7;',
      '  p2 = 7;',
      '  last',
      '}',
      '',
    ),
  );
});

test('WGSL itself is left as it is, comments too', () => {
  const text = 'fn f() -> u32 { return 1u; } // {what}\nswitch x { default: {} }\n';
  expect(one(text)).toBe(text);
});

test.each([
  ['x{p}', 'a.wgsl:1: unknown name p'],
  ['\n#if P\n#end', 'a.wgsl:2: unknown name P'],
  ['#if HALF\n#end', 'a.wgsl:1: HALF is 0.5, not a whole number'],
  ['#if A && B\n#end', 'a.wgsl:1: #if wants one value'],
  ['x\n#for p in 0..2\ny', 'a.wgsl:2: #for without #end'],
  ['#if ONE\n#else\n', 'a.wgsl:1: #if without #end'],
  ['#end', 'a.wgsl:1: #end without #if or #for'],
  ['#for p in 0..2\n#else\n#end', 'a.wgsl:2: #else without #if'],
  ['#if ONE\n#else\n#else\n#end', 'a.wgsl:3: #else without #if'],
  ['#for p in 2..1\n#end', 'a.wgsl:1: bad range 2..1'],
  ['#for p in ONE-2..1\n#end', 'a.wgsl:1: bad range -1..1'],
  ['#for p of 2\n#end', 'a.wgsl:1: not a range: #for p of 2 (#for NAME in FROM..TO)'],
  ['#for ONE in 0..1\n#end', 'a.wgsl:1: the name ONE is taken'],
  ['x{ONE-2}', 'a.wgsl:1: {ONE-2} is -1'],
  ['#import b', 'a.wgsl:1: no shader "b"'],
  ['#import toString', 'a.wgsl:1: no shader "toString"'],
  ['#import', 'a.wgsl:1: #import names no shader'],
  ['#import a', 'a.wgsl:1: imports go round: a -> a'],
  ['#import a x=1', 'a.wgsl:1: imports go round: a -> a'],
  ['#import b x', 'a.wgsl:1: "x" is not NAME=VALUE'],
  ['#import b ONE=2', 'a.wgsl:1: the name ONE is taken'],
  ['#define X', 'a.wgsl:1: no directive #define'],
])('%j is refused', (text, message) => {
  expect(() => one(text, { ONE: 1, HALF: 0.5 })).toThrow(new Error(message));
});

test('errors within an import name the file that they are in', () => {
  const sources = { a: '#import b', b: '\n#import c', c: '#import b' };
  expect(() => expand('a', sources)).toThrow('c.wgsl:1: imports go round: a -> b -> c -> b');
  expect(() => expand('a', { a: '#import b s=q', b: '\n#if s\n#end' })).toThrow(
    'b.wgsl:2: s is the word q, not a number',
  );
  expect(() => expand('a', {})).toThrow('no shader "a"');
});
