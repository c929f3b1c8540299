import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/**
 * Matches allowed iterations: over folders in the private file system, and over the project's own
 * generators.
 */
const ITERABLE = /\.keys\(\)|resizer\.push\(|this\.#files\(/;

it('no code for browsers iterates a stream, which Safari cannot', () => {
  const files = ['src', 'demo']
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((name) => /\.ts$/.test(name) && !/\.test\.ts$|^src.(cli|node)/.test(name));
  expect(files.length).toBeGreaterThan(200);
  const loops = files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes('for await'))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(loops.length).toBeGreaterThan(5);
  expect(loops.filter((line) => !ITERABLE.test(line))).toEqual([]);
});
