import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reverts } from './list.ts';

describe('the fixes that `npm run reverts` reverts', () => {
  it.each(reverts)('$name is still there: $fault', ({ edits, test: [file, title] }) => {
    expect(edits.length).toBeGreaterThan(0);
    for (const { file: path, from, to } of edits) {
      expect(readFileSync(path, 'utf8').split(from), `${path}: ${from}`).toHaveLength(2);
      expect(to).not.toBe(from);
    }
    expect(existsSync(file)).toBe(true);
    expect(title).not.toBe('');
  });

  it('names nothing twice', () => {
    const names = reverts.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
