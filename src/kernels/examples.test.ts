import { expect, test } from 'vitest';
import { EXAMPLES } from './examples.ts';
import type { ElementType } from './kernel.ts';

/** Beside the default of each shader: variants whose directives the default does not reach. */
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

// What A2N x2 compiles to is kept by test/a2nExpansions.test.ts.
test.each([
  ...Object.keys(EXAMPLES).map((name) => [name, Object.keys(EXAMPLES[name])[0], 'f32'] as const),
  ...MORE,
])('%s (%s, %s) expands as before', async (name, variant, element) => {
  const { code } = EXAMPLES[name][variant](element);
  const file = `${name.replace('/', '-')}.${variant}.${element}.wgsl`;
  await expect(code).toMatchFileSnapshot(`../../test/expansions/${file}`);
});
