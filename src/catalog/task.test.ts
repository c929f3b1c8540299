import { expect, it } from 'vitest';
import { type AddedTask, type Task, taskOfFile } from './task.ts';

it.each<[number, string, Task | undefined, AddedTask]>([
  [2, 'a2n-x2.pth', undefined, 'upscale'],
  [4, 'jpeg-photos-x4.pth', undefined, 'upscale'],
  [2, 'a2n-x2.pth', 'upscale', 'upscale'],
  [1, '1x_DeJPG_OmniSR.pth', undefined, 'dejpeg'],
  [1, 'a2n-jpeg-x1.safetensors', undefined, 'dejpeg'],
  [1, '1x_ArtifactsBC1.pth', undefined, 'dejpeg'],
  [1, '1x_NoiseToner.pth', undefined, 'denoise'],
  [1, '1x_ISO_denoise.pth', 'dejpeg', 'dejpeg'],
  [1, 'acla-demosaic-x1.pth', undefined, 'demosaic'],
  [1, '1x_SuperDeHalo.pth', undefined, 'dehalo'],
  [1, '1x_Bandage-Debanding.pth', undefined, 'deband'],
  [1, '1x_DeBLR_deblur.pth', undefined, 'deblur'],
  [1, '1x_Filmgrain_remove.pth', undefined, 'denoise'],
  [1, '1x_dehalo.pth', 'deblur', 'deblur'],
  [1, '1x_band-photos.pth', undefined, 'restore'],
  [1, '1x_Focus.pth', undefined, 'restore'],
  [1, '1x_Focus.pth', 'denoise', 'denoise'],
])('a file of x%i called %s, asked for %s: %s', (scale, name, asked, task) => {
  expect(taskOfFile(scale, name, asked)).toBe(task);
});

it.each<[number, Task, string]>([
  [2, 'denoise', 'MODEL_UNSUPPORTED'],
  [1, 'upscale', 'MODEL_UNSUPPORTED'],
])('x%i cannot be for %s', (scale, asked, code) => {
  expect(() => taskOfFile(scale, 'x', asked)).toThrow(expect.objectContaining({ code }));
});
