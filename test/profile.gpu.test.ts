import { basename } from 'node:path';
import { expect, it } from 'vitest';
import { profile } from '../bench/kernels.ts';

import { findGoldenCases, readGoldenCase, SEEDED_GOLDENS } from '../src/cli/golden-cases.ts';
import { multiplyAddsPerPixel } from '../src/graph/analysis.ts';
import { testGpu } from './gpu.ts';

const ceiling = { multiplyAdds: { f32: 1e9, f16: null }, bandwidth: 1e9 };

it.each(['ops', 'none'] as const)('times every kernel of a network fused to %s', async (fuse) => {
  const file = findGoldenCases('tiny_a2n_x4_8x8').find((path) => path.startsWith(SEEDED_GOLDENS));
  const golden = await readGoldenCase(file as string);
  if ('missing' in golden) throw new Error('no network');
  const { network, weights } = golden;
  const size = { width: 9, height: 7 };
  const name = basename(file as string);
  const task = { name, network, weights, size, fuse, precision: 'f32' as const, repeats: 2 };
  const { kernels, ...run } = await profile(testGpu(), { ...task, conv: 'plain' }, ceiling);
  expect(run).toMatchObject({ fuse, conv: 'plain', size });
  expect(kernels.every(({ milliseconds }) => milliseconds >= 0)).toBe(true);
  expect(kernels.some(({ milliseconds }) => milliseconds > 0)).toBe(true);
  const all = kernels.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
  expect(all / (multiplyAddsPerPixel(network.graph) * 63)).toBeCloseTo(1, 2);
  expect(kernels.map(({ kernel }) => kernel).join()).toMatch(/conv3x3/);
});
