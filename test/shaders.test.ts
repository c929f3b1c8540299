import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stripComments } from '../scripts/shaders.mjs';
import { PACKAGE_ROOT } from '../src/cli/model.ts';

test('comments, indentation and empty lines go, the code stays', () => {
  expect(stripComments('// head\n\nfn f() { // why\n  return 4.0 / 2.0;\n}\n')).toBe(
    'fn f() {\nreturn 4.0 / 2.0;\n}\n',
  );
  expect(() => stripComments('/* a\n// b */')).toThrow();
});

const folder = join(PACKAGE_ROOT, 'src/shaders');
const shaders = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.wgsl'),
);

test.each(shaders)('%s ships without comments', (name) => {
  const source = readFileSync(join(folder, name), 'utf8');
  const bare = stripComments(source);
  expect(bare).not.toContain('//');
  expect(bare.length).toBeLessThan(source.length);
  const code = (text: string): string =>
    text
      .replace(/\/\/.*/g, '')
      .replace(/\s+/g, ' ')
      .trim();
  expect(code(bare)).toBe(code(source));
});
