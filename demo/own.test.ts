import { expect, it } from 'vitest';
import type { AddedModel } from '../src/index.ts';
import { describeModel, isWeightFile } from './own.ts';

const model: AddedModel = {
  id: 'own-1-x4',
  name: '4x-Mine',
  architecture: 'esrgan',
  scale: 4,
  scaleSource: 'shapes',
  task: 'upscale',
  inputRange: 1,
  assumptions: [],
  format: 'torch-zip',
  parameters: 16_697_987,
  bytes: 66_961_958,
  sha256: 'ab',
  added: 0,
  kept: true,
};

it('tells weight files by their extension', () => {
  expect(['a.pth', 'B.PT', 'c.safetensors', 'd.ckpt'].every(isWeightFile)).toBe(true);
  expect(['a.png', 'pth', 'a.pth.jpg', ''].some(isWeightFile)).toBe(false);
});

it('says what a model is, and what was assumed', () => {
  expect(describeModel(model)).toBe('ESRGAN, 4×, 67 MB');
  const denoise = { ...model, task: 'denoise', scale: 1 } as const;
  expect(describeModel(denoise)).toBe('ESRGAN, removes noise, 67 MB');
  expect(
    describeModel({
      ...model,
      architecture: 'a2n',
      scale: 2,
      scaleSource: 'default',
      bytes: 2_091_414,
      kept: false,
      assumptions: ['residuals times 1'],
    }),
  ).toBe(
    'A2N, 2× (assumed), 2.1 MB; assumed: residuals times 1; not kept: no room in this browser',
  );
});
