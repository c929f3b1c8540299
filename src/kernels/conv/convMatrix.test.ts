import { expect, it } from 'vitest';
import { matrixUnit } from '../../engine/gpu/matrix.ts';
import { countLoads, parseShader } from '../loads.ts';
import { planarMap } from '../planar.ts';
import { convReference } from './conv.reference.ts';
import { type ConvSpec, packConvWeights } from './conv.ts';
import { type MatrixUnit, matrixConv } from './convMatrix.ts';

let spec: ConvSpec = {
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

/**
 * Computes the convolution one matrix product at a time, as the kernel does. The weights are in the
 * order in which the kernel reads them. The sizes of the matrices and chunks are read from the
 * constants in the kernel's source.
 */
function byMatrices(
  x: ReturnType<typeof planarMap>,
  arranged: Float32Array,
  unit: MatrixUnit,
): Float32Array {
  const { constants } = parseShader(matrixConv(unit).kernel(spec, 'f16').code);
  const of = (name: string) => constants.get(name) as number;
  const [n, chunks, pitch] = [of('N'), of('CHUNKS'), of('PITCH') * 4];
  const staged = of('QUADS') * 4;
  const sides = [...Array(of('STEPS')).fill(of('K')), ...(of('REST') > 0 ? [of('REST')] : [])];
  const { width, height, channels } = x;
  const columns = Math.ceil((Math.ceil(spec.cOut / 4) * 4) / n / of('COLUMNS')) * of('COLUMNS');
  const y = new Float32Array(columns * n * width * height);
  const span = width + 2;
  let at = 0;
  for (let group = 0; group < columns / of('COLUMNS'); group++) {
    for (let chunk = 0; chunk < chunks; chunk++) {
      const pixels = new Float32Array(span * (height + 2) * pitch + of('K'));
      for (let p = 0; p < width * height; p++) {
        const [row, col] = [Math.floor(p / width) + 1, (p % width) + 1];
        for (let i = 0; i < staged && chunk * staged + i < channels; i++) {
          const value = x.data[(chunk * staged + i) * width * height + p];
          pixels[(row * span + col) * pitch + i] = value;
        }
      }
      for (let ky = 0; ky < 3; ky++) {
        for (let run = 0; run < of('RUNS'); run++) {
          let step = 0;
          for (const side of sides) {
            for (let column = 0; column < of('COLUMNS'); column++) {
              for (let p = 0; p < width * height; p++) {
                const [row, col] = [Math.floor(p / width) + ky, (p % width) + run];
                for (let i = 0; i < side; i++) {
                  const value = pixels[(row * span + col) * pitch + step + i];
                  for (let o = 0; o < n; o++) {
                    const channel = (group * of('COLUMNS') + column) * n + o;
                    y[channel * width * height + p] += value * arranged[at + i * n + o];
                  }
                }
              }
              at += side * n;
            }
            step += side;
          }
        }
      }
    }
  }
  expect(at).toBe(arranged.length);
  return y;
}

const LIMITS = { subgroup: 32, bytes: 32768 };
it.each([
  [16, 16, 16, 0],
  [16, 8, 16, 8],
  [16, 8, 16, 0],
  [8, 8, 8, 0],
])('arranges weights for units of %i x %i x %i, and %i', (m, n, k, rest) => {
  const unit = { m, n, k, rest, ...LIMITS };
  for (const cIn of [10, 22, 72]) {
    spec = { ...spec, cIn };
    const x = { ...planarMap(cIn, 5, 7), data: noise(cIn * 35, 1) };
    const weights = noise(spec.cOut * cIn * 9, 2);
    const packed = packConvWeights(weights, spec.cOut, cIn, 3);
    const arranged = matrixConv(unit).packing?.arrange(packed, spec) as Float32Array;
    const y = byMatrices(x, arranged, unit);
    const expected = convReference(x, weights, new Float32Array(spec.cOut), spec.cOut, 3).data;
    for (const [i, value] of expected.entries()) expect(y[i]).toBeCloseTo(value, 4);
    expect(y.subarray(expected.length).every((value) => value === 0)).toBe(true);
  }
});

const hopper = { m: 16, n: 8, k: 16, rest: 8, ...LIMITS };

it('cuts the channels evenly among workgroups', () => {
  const { grid } = matrixConv(hopper);
  expect(grid({ ...spec, cIn: 40, cOut: 40 }, 17, 9)).toEqual([2, 2, 1]);
  expect(grid({ ...spec, cOut: 64 }, 16, 8)).toEqual([1, 1, 2]);
  expect(grid({ ...spec, cOut: 3 }, 16, 8)).toEqual([1, 1, 1]);
});

it('multiplies 40 channels with 1 in 16 matrices half empty, or none', () => {
  const products = (unit: MatrixUnit) => {
    const { code } = matrixConv(unit).kernel({ ...spec, cIn: 40, cOut: 40 }, 'f16');
    return countLoads(code).multiplyAdds / ((64 * 9 * 40 * 40) / unit.subgroup);
  };
  expect(products(hopper)).toBe(1);
  expect(products({ ...hopper, rest: 0 })).toBeCloseTo(16 / 15);
});

it('fits into the workgroup memory that there is', () => {
  for (const bytes of [16384, 32768, 49152]) {
    const { code } = matrixConv({ ...hopper, bytes }).kernel({ ...spec, cIn: 40, cOut: 40 }, 'f16');
    const { constants } = parseShader(code);
    const of = (name: string) => constants.get(name) as number;
    const pixels = 18 * (4 * of('SUBGROUPS') + 2) * of('PITCH') * 8 + of('K') * 2;
    const leaving = of('SUBGROUPS') * of('GO_FRAGMENTS') * 16 * (of('COLUMNS') * 8 + 4) * 4;
    expect(pixels + leaving).toBeLessThanOrEqual(bytes);
  }
});

const f16 = { componentType: 'f16', resultComponentType: 'f32' };
const adapterWith = (info: object, features = ['shader-f16']) => {
  const subgroup = { subgroupMinSize: 32, subgroupMaxSize: 32 };
  return { info: { ...subgroup, ...info }, features: new Set(features) } as unknown as GPUAdapter;
};
const square = { ...f16, M: 16, N: 16, K: 16 };

it('takes the unit that pads outputs least, with the larger K and the smaller one for the rest', () => {
  const units = [
    { ...f16, resultComponentType: 'f16', M: 8, N: 8, K: 8 },
    { ...f16, M: 12, N: 8, K: 16 },
    square,
    { ...square, N: 8, K: 8 },
    { ...square, N: 8 },
  ];
  const unitOf = (offered: object[]) =>
    matrixUnit(adapterWith({ subgroupMatrixConfigs: offered }), LIMITS.bytes);
  expect(unitOf(units)).toEqual(hopper);
  expect(unitOf(units.slice(0, 3))).toEqual({ ...hopper, n: 16, rest: 0 });
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
  expect(matrixUnit(adapterWith(info, features), LIMITS.bytes)).toBeUndefined();
});
