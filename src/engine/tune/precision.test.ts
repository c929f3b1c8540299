import { expect, it } from 'vitest';
import { choosePrecision } from './precision.ts';

const gpu = {
  vendor: 'nvidia',
  architecture: 'hopper',
  device: '',
  description: '',
  isFallbackAdapter: false,
  features: ['shader-f16'],
};

it.each([
  ['a GPU that has it, for measured weights', true, gpu, 'f16'],
  ['weights that nobody measured', false, gpu, 'f32'],
  ['weights of which nothing is known', undefined, gpu, 'f32'],
  ['a GPU without it', true, { ...gpu, features: ['subgroups'] }, 'f32'],
  ['a software adapter', true, { ...gpu, isFallbackAdapter: true }, 'f32'],
] as const)('chooses for %s', (_, measured, adapter, precision) => {
  expect(choosePrecision('auto', measured, adapter)).toBe(precision);
  // An explicit choice is returned even if the GPU does not support it. In that case,
  // `Device.element` throws an error later.
  expect(choosePrecision('f16', measured, adapter)).toBe('f16');
  expect(choosePrecision('f32', measured, adapter)).toBe('f32');
});
