import { expect, it } from 'vitest';
import type { ConvSpec } from '../kernels/conv.ts';
import { FAMILIES, familyOf, tuningOf } from './tuning.ts';
import type { AdapterReport } from './types.ts';

const adapter = (report: Partial<AdapterReport>): AdapterReport => ({
  vendor: '',
  architecture: '',
  device: '',
  description: '',
  isFallbackAdapter: false,
  features: [],
  ...report,
});
const spec: ConvSpec = {
  kernel: 3,
  cIn: 8,
  cOut: 40,
  upsample: 1,
  act0: null,
  multiply: false,
  add: false,
  factor: 1,
  act1: null,
};

it.each([
  [{ vendor: 'google', architecture: 'swiftshader', isFallbackAdapter: true }, 'swiftshader'],
  [{ description: 'llvmpipe (LLVM 15.0.6, 256 bits)', isFallbackAdapter: true }, 'software'],
  [{ isFallbackAdapter: true }, 'software'],
  [{ vendor: 'nvidia', architecture: 'hopper' }, 'nvidia'],
  [{ vendor: 'amd', architecture: 'rdna-3' }, 'amd'],
  [{ vendor: 'apple', architecture: 'metal-3' }, 'apple'],
  [{ vendor: 'intel', architecture: 'gen-12lp' }, 'intel'],
  [{ vendor: 'qualcomm', architecture: 'adreno-7xx' }, 'qualcomm'],
  [{ vendor: 'arm', architecture: 'valhall' }, 'arm'],
  [{ vendor: 'img-tec' }, 'default'],
  [{}, 'default'],
])('%j is of the family %s', (report, family) => {
  expect(familyOf(adapter(report)).family).toBe(family);
});

it('ends with a family that takes every adapter', () => {
  expect(FAMILIES.at(-1)?.matches.test('')).toBe(true);
});

it('shares weights within quads only where the device has subgroups', async () => {
  const choice = { fuse: 'ops', conv: 'quad', lanes: 8 } as const;
  const label = async (features: string[]) => {
    const { conv } = await tuningOf(choice, adapter({ features }));
    return conv(spec).kernel(spec, 'f32').label;
  };
  expect(await label(['subgroups'])).toMatch(/quads, 5 blocks/);
  expect(await label([])).toBe('conv3x3');
});
