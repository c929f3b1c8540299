import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EXAMPLES } from './examples.ts';
import type { ElementType } from './kernel.ts';

/**
 * Variants that use directives that their shader's default variant does not use. They are tested in
 * addition to the defaults.
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

// test/a2nExpansions.test.ts stores the expansions of A2N x2.
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
  // The tests above detect a missing file. This test cannot, because new files are written after
  // the last test.
  const kept = new Set(KEPT.map(fileOf));
  expect(files.filter((name) => !kept.has(name))).toEqual([]);
});

// The f16 group also loads the kernel tests on machines without an adapter.
test('kernel tests that need an adapter while they load ask requestKernelAdapter()', () => {
  const files = readdirSync('src/kernels', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.gpu.test.ts'))
    .map((name) => `src/kernels/${name}`);
  expect(files.length).toBeGreaterThan(10);
  expect(
    files.filter((file) => /requestTest(Adapter|Device)\(/.test(readFileSync(file, 'utf8'))),
  ).toEqual([]);
});
