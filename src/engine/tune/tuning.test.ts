import { expect, it } from 'vitest';
import type { ConvSpec } from '../../kernels/conv/conv.ts';
import { methodsFor } from '../lowerFor.ts';
import type { AdapterReport } from '../types.ts';
import { FAMILIES, familyOf, tuningOf } from './tuning.ts';

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
  const choice = { fuse: 'ops', conv: 'quad', tileColumns: 8 } as const;
  const label = async (features: string[]) => {
    const { conv } = await tuningOf(choice, adapter({ features }));
    return conv(spec).kernel(spec, 'f32').label;
  };
  expect(await label(['subgroups'])).toMatch(/quads, 5 blocks/);
  expect(await label([])).toBe('conv3x3');
  expect(familyOf(adapter({ vendor: 'google', architecture: 'swiftshader' })).conv).toBe('quad');
});

it('leaves large layers, which no uniform holds, to strips', async () => {
  const { conv } = await tuningOf(familyOf(adapter({ vendor: 'amd' })), adapter({}));
  const label = (cIn: number) => {
    const layer = { ...spec, cIn };
    return conv(layer).kernel(layer, 'f32').label;
  };
  expect(label(40)).toBe('conv3x3 by strips of 8 x 2, uniform weights');
  expect(label(64)).toBe('conv3x3 by strips of 8 x 2');
});

it('multiplies matrices for maps in f16 only, and only where the device can', async () => {
  const hopper = adapter({ vendor: 'nvidia', architecture: 'hopper' });
  const unit = { m: 16, n: 8, k: 16, rest: 8, subgroup: 32, bytes: 32768 };
  const labels = async (report: AdapterReport) => {
    const tuning = await tuningOf(familyOf(report), report);
    return (['f32', 'f16'] as const).map((element) => {
      const { conv, fuse } = methodsFor(tuning, element);
      return [conv(spec).kernel(spec, element).label, fuse];
    });
  };
  expect(await labels({ ...hopper, matrix: unit })).toEqual([
    ['conv3x3 by strips of 8 x 2, workgroup weights', 'ops'],
    ['conv3x3 by matrices of 16 x 8 x 16', 'ops'],
  ]);
  const shared = ['conv3x3 by strips of 8 x 2, workgroup weights', 'ops'];
  expect(await labels(hopper)).toEqual([shared, shared]);
});
