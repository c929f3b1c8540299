import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compactShader } from '../scripts/shaders.mjs';
import { PACKAGE_ROOT } from '../src/node/model.ts';

test('comments and white space go, the code stays', () => {
  expect(compactShader('// head\n\nfn f() { // why\n  return 4.0 / 2.0 - -x;\n}\n')).toBe(
    'fn f(){return 4.0/2.0 - -x;}\n',
  );
  expect(compactShader('  #if A // why\n  return {p} + v{p+1} * w;\n  #end\n')).toBe(
    '#if A\nreturn {p}+v{p+1}*w;\n#end\n',
  );
  // A substituted value can be negative, so the space before it stays.
  expect(compactShader('let a = {p} - v - {q} + {r};\n')).toBe('let a={p}-v - {q} + {r};\n');
  // The output must contain neither a decrement nor code on the same line as a directive.
  expect(compactShader('let a = b - -c;\nx += 1;\n#for p in 0..2\nf();\ng();\n#end\n')).toBe(
    'let a=b - -c;x+=1;\n#for p in 0..2\nf();g();\n#end\n',
  );
  expect(() => compactShader('/* a\n// b */')).toThrow();
});

const folder = join(PACKAGE_ROOT, 'src/shaders');
const shaders = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.wgsl'),
);

test.each(shaders)('%s ships without comments', (name) => {
  const source = readFileSync(join(folder, name), 'utf8');
  const bare = compactShader(source);
  expect(bare).not.toContain('//');
  expect(bare.length).toBeLessThan(source.length);
  // Words must stay separate, and no sign may be lost or moved.
  const tokens = (text: string) => text.replace(/\/\/.*/g, '').match(/[\w.]+|[^\s\w.]/g);
  expect(tokens(bare)).toEqual(tokens(source));
});

// naga 24, which Firefox used to ship, does not support constants that are computed with `select`.
test('no constant of a shader is made by select', () => {
  const constants = shaders.flatMap(
    (name) =>
      readFileSync(join(folder, name), 'utf8').match(/^\s*(?:const|override) [^;]*;/gm) ?? [],
  );
  expect(constants.length).toBeGreaterThan(50);
  expect(constants.filter((constant) => /\bselect\(/.test(constant))).toEqual([]);
});
