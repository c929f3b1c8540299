import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EXAMPLES } from './examples.ts';
import type { ElementType } from './kernel.ts';

/**
 * Variants that are tested in addition to each shader's default variant in f32. Some include shader
 * code that the default variant leaves out, and some use f16.
 */
const MORE: readonly [name: string, variant: string, element: ElementType][] = [
  ['attention/mix', 'non-1x1', 'f16'],
  ['conv/conv', '1x1', 'f16'],
  ['conv/conv', 'strips', 'f32'],
  ['conv/conv', 'strips-nearest', 'f32'],
  ['conv/conv', 'uniform', 'f32'],
  ['conv/conv', 'shared-1x1', 'f32'],
  ['conv/conv', 'half', 'f16'],
  ['conv/conv', 'parts-halo', 'f32'],
  ['conv/conv', 'quad5', 'f32'],
  ['conv/conv', 'parts', 'f32'],
  ['conv/conv', 'pack', 'f32'],
  ['conv/matrix', 'default', 'f16'],
];

// The variants whose expanded WGSL is stored in `test/expansions`. The files for A2N x2 are in a
// subfolder, and test/a2nExpansions.test.ts checks them.
const KEPT = [
  ...Object.keys(EXAMPLES).map((name) => [name, Object.keys(EXAMPLES[name])[0], 'f32'] as const),
  ...MORE,
];
const fileOf = ([name, variant, element]: (typeof KEPT)[number]): string =>
  `${name.replace('/', '-')}.${variant}.${element}.wgsl`;

test.each(KEPT)('%s (%s, %s) expands as before', async (...kept) => {
  const [name, variant, element] = kept;
  const { code } = EXAMPLES[name][variant](element);
  await expect(code).toMatchFileSnapshot(`../../test/expansions/${fileOf(kept)}`);
});

test('no expansion is kept that nothing has any more', () => {
  const files = readdirSync('test/expansions').filter((name) => name.endsWith('.wgsl'));
  expect(files.length).toBeGreaterThan(50);
  // This test finds only files that no variant uses any more. If a variant's file is missing, the
  // test above fails in CI. Elsewhere, Vitest writes the file after the last test.
  const kept = new Set(KEPT.map(fileOf));
  expect(files.filter((name) => !kept.has(name))).toEqual([]);
});

// The f16 tests load the files of the kernel tests again, with f16 as the element type. If no
// adapter supports f16, `requestKernelAdapter()` returns null, and the tests are skipped.
test('kernel tests that need an adapter while they load ask requestKernelAdapter()', () => {
  const files = readdirSync('src/kernels', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.gpu.test.ts'))
    .map((name) => `src/kernels/${name}`);
  expect(files.length).toBeGreaterThan(10);
  expect(
    files.filter((file) => /requestTest(Adapter|Device)\(/.test(readFileSync(file, 'utf8'))),
  ).toEqual([]);
});
