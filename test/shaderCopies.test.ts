/**
 * No two places in the shaders may share more than twelve lines of code. Shared code must be
 * imported.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const FOLDER = 'src/shaders/';
const MOST = 12;

interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * Returns the lines of code, without comments, blank lines and lines that consist only of brackets.
 * White space is collapsed.
 */
function linesOf(file: string): { text: string; at: Place }[] {
  return readFileSync(FOLDER + file, 'utf8')
    .split('\n')
    .map((line, i) => ({
      text: line
        .replace(/\/\/.*/, '')
        .replace(/\s+/g, ' ')
        .trim(),
      at: { file, line: i + 1 },
    }))
    .filter(({ text }) => /\w/.test(text));
}

/** Returns pairs of places with the same `length` lines. */
function copies(files: readonly { text: string; at: Place }[][], length: number): string[] {
  const seen = new Map<string, Place>();
  const found: string[] = [];
  for (const lines of files) {
    for (let i = 0; i + length <= lines.length; i++) {
      const run = lines.slice(i, i + length);
      const key = run.map(({ text }) => text).join('\n');
      const [{ at }] = run;
      const before = seen.get(key);
      if (before) found.push(`${before.file}:${before.line} and ${at.file}:${at.line}`);
      else seen.set(key, at);
    }
  }
  return found;
}

const shaders = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.wgsl'),
);

it('no two places among the shaders share more than twelve lines', () => {
  expect(shaders.length).toBeGreaterThan(50);
  expect(copies(shaders.map(linesOf), MOST + 1)).toEqual([]);
});

it('a copy would be found', () => {
  const lines = linesOf('conv/conv.wgsl').slice(0, 20);
  expect(copies([lines, lines.slice(3)], MOST + 1)).toHaveLength(5);
});
