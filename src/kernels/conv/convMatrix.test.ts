import { expect, it } from 'vitest';
import { matrixUnit } from '../../engine/gpu/matrix.ts';
import { planarMap } from '../planar.ts';
import { convReference } from './conv.reference.ts';
import { type ConvSpec, packConvWeights } from './conv.ts';
import { type MatrixUnit, matrixConv } from './convMatrix.ts';

const spec: ConvSpec = {
  kernel: 3,
  cIn: 10,
  cOut: 22,
  upsample: 1,
  factor: 1,
  act0: null,
  act1: null,
  multiply: false,
  add: false,
};
const noise = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(seed + i * 12.9898) % 1);

/** Uses the weights as the kernel does, one matrix product at a time. */
function byMatrices(
  x: ReturnType<typeof planarMap>,
  arranged: Float32Array,
  { n, k }: MatrixUnit,
): Float32Array {
  const { width, height, channels } = x;
  const columns = Math.ceil((Math.ceil(spec.cOut / 4) * 4) / n);
  const y = new Float32Array(columns * n * width * height);
  for (let matrix = 0; matrix < arranged.length / (k * n); matrix++) {
    const column = matrix % columns;
    const tap = Math.floor(matrix / columns) % 9;
    const chunk = Math.floor(matrix / columns / 9);
    for (let row = 0; row < height; row++) {
      for (let col = 0; col < width; col++) {
        const [inRow, inCol] = [row + Math.floor(tap / 3) - 1, col + (tap % 3) - 1];
        if (inRow < 0 || inCol < 0 || inRow >= height || inCol >= width) continue;
        for (let i = 0; i < k && chunk * k + i < channels; i++) {
          const value = x.data[((chunk * k + i) * height + inRow) * width + inCol];
          for (let o = 0; o < n; o++) {
            const weight = arranged[(matrix * k + i) * n + o];
            y[((column * n + o) * height + row) * width + col] += value * weight;
          }
        }
      }
    }
  }
  return y;
}

it.each([
  [16, 16, 16],
  [16, 8, 16],
  [8, 8, 8],
  [8, 16, 4],
])('arranges weights for units of %i x %i x %i', (m, n, k) => {
  const unit = { m, n, k, subgroup: 32 };
  const x = { ...planarMap(spec.cIn, 5, 7), data: noise(spec.cIn * 35, 1) };
  const weights = noise(spec.cOut * spec.cIn * 9, 2);
  const packed = packConvWeights(weights, spec.cOut, spec.cIn, 3);
  const arranged = matrixConv(unit).packing?.arrange(packed, spec) as Float32Array;
  const y = byMatrices(x, arranged, unit);
  const expected = convReference(x, weights, new Float32Array(spec.cOut), spec.cOut, 3).data;
  for (const [i, value] of expected.entries()) expect(y[i]).toBeCloseTo(value, 4);
  expect(y.subarray(expected.length).every((value) => value === 0)).toBe(true);
});

it('cuts the channels evenly among workgroups', () => {
  const { grid } = matrixConv({ m: 16, n: 8, k: 16, subgroup: 32 });
  expect(grid({ ...spec, cOut: 40 }, 17, 9)).toEqual([2, 2, 1]);
  expect(grid({ ...spec, cOut: 64 }, 16, 8)).toEqual([1, 1, 2]);
  expect(grid({ ...spec, cOut: 3 }, 16, 8)).toEqual([1, 1, 1]);
});

const f16 = { componentType: 'f16', resultComponentType: 'f32' };
const adapterWith = (info: object, features = ['shader-f16']) => {
  const subgroup = { subgroupMinSize: 32, subgroupMaxSize: 32 };
  return { info: { ...subgroup, ...info }, features: new Set(features) } as unknown as GPUAdapter;
};
const square = { ...f16, M: 16, N: 16, K: 16 };

it('takes the unit that pads channels least', () => {
  const units = [
    { ...f16, resultComponentType: 'f16', M: 8, N: 8, K: 8 },
    { ...f16, M: 12, N: 4, K: 4 },
    square,
    { ...square, N: 8 },
  ];
  const offer = adapterWith({ subgroupMatrixConfigs: units });
  expect(matrixUnit(offer)).toEqual({ m: 16, n: 8, k: 16, subgroup: 32 });
});

it.each([
  ['none', {}, ['shader-f16']],
  ['none of f16', { subgroupMatrixConfigs: [{ ...square, componentType: 'i8' }] }, ['shader-f16']],
  ['no f16', { subgroupMatrixConfigs: [square] }, []],
  [
    'subgroups of several sizes',
    { subgroupMatrixConfigs: [square], subgroupMinSize: 8 },
    ['shader-f16'],
  ],
])('an adapter with %s has no unit for kernels', (_, info, features) => {
  expect(matrixUnit(adapterWith(info, features))).toBeUndefined();
});
