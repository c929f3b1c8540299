import { expect, test } from 'vitest';
import { EXAMPLES } from './examples.ts';

/** One of each template with directives in its body, and all that A2N x2 uses. */
const KEPT: readonly [name: string, variant: string, element: 'f32' | 'f16'][] = [
  ['attention/gate', 'default', 'f32'],
  ['attention/mix', 'default', 'f32'],
  ['attention/mix', 'non-1x1', 'f16'],
  ['conv/conv', 'default', 'f32'],
  ['conv/conv', '1x1', 'f16'],
  ['conv/conv', 'shared', 'f32'],
  ['conv/conv', 'quad5', 'f32'],
  ['conv/conv', 'parts', 'f32'],
  ['conv/conv', 'pack', 'f32'],
  ['conv/gate', 'default', 'f32'],
  ['conv/matrix', 'default', 'f16'],
  ['maps/pointwise', 'default', 'f32'],
  ['nonlocal/rowMix', 'default', 'f32'],
  ['nonlocal/rowScoresQuad', 'default', 'f32'],
  ['nonlocal/similarityQuad', 'default', 'f32'],
  ['vector/dynamicWeights', 'default', 'f32'],
  ['vector/poolPartial', 'default', 'f32'],
  ['pixels/unpackRgba8', 'default', 'f32'],
  ['pixels/packRgba8', 'default', 'f32'],
];

test.each(KEPT)('%s (%s, %s) expands as before', async (name, variant, element) => {
  const { code } = EXAMPLES[name][variant](element);
  const file = `${name.replace('/', '-')}.${variant}.${element}.wgsl`;
  await expect(code).toMatchFileSnapshot(`../../test/expansions/${file}`);
});
