import { afterAll, beforeAll, expect, it } from 'vitest';
import { planChain } from '../../catalog/chain.ts';
import { findModel, MODEL_FILES, type ModelFile } from '../../catalog/files.ts';
import type { Task } from '../../catalog/task.ts';
import type { PlanChoice } from './options.ts';
import { planUpscale } from './request.ts';
import { forTask } from './task.ts';

// This restoration model comes first in the list of shipped models, so it is chosen for `dejpeg`.
const dejpeg = { ...findModel('a2n-x2'), id: 'test-x1', task: 'dejpeg', scale: 1 } as const;
const files = MODEL_FILES as ModelFile[];
beforeAll(() => void files.unshift(dejpeg));
afterAll(() => void files.shift());

const own = [
  { id: 'own-1-x1', scale: 1, task: 'restore' },
  { id: 'own-2-x1', scale: 1, task: 'denoise' },
  { id: 'own-3-x4', scale: 4, task: 'upscale' },
] as const;

it('takes the model of the task, at the size of the image', () => {
  const given = { task: 'dejpeg', depth: 16, output: 'image/png' } as const;
  const request: PlanChoice = forTask(given);
  expect(request).toEqual({ ...given, model: 'test-x1' });
  expect(planUpscale(request)).toMatchObject({ model: 'test-x1', scale: 1, wish: null });
  expect(planUpscale({ ...request, scale: 1 })).toMatchObject({ scale: 1, wish: null });
});

it('leaves requests for larger images as they are', () => {
  for (const request of [{}, { scale: 3 }, { task: 'upscale', scale: 3 }] as const) {
    expect(forTask(request)).toBe(request);
  }
});

it.each<[Task, string]>([
  ['dejpeg', 'test-x1'],
  ['upscale', 'a2n-x2'],
  ['dejpeg', 'own-1-x1'],
  ['denoise', 'own-1-x1'],
  ['denoise', 'own-2-x1'],
  ['upscale', 'own-3-x4'],
])('%s by %s', (task, model) => {
  expect(forTask({ task, model }, own)).toEqual({ task, model });
});

it.each<[Task, string]>([
  ['denoise', 'test-x1'],
  ['upscale', 'test-x1'],
  ['dejpeg', 'a2n-x2'],
  ['upscale', 'own-1-x1'],
  ['dejpeg', 'own-2-x1'],
  ['denoise', 'own-3-x4'],
])('%s is not for %s', (task, model) => {
  const attempt = () => forTask({ task, model }, own);
  expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  expect(attempt).toThrow(task);
});

it.each([
  [{ task: 'dejpeg', method: 'lanczos' }, 'INVALID_INPUT'],
  [{ task: 'dejpeg', model: 'nothing' }, 'MODEL_UNKNOWN'],
  [{ task: 'demosaic' }, 'MODEL_UNKNOWN'],
] as const)('refuses %j', (request, code) => {
  expect(() => forTask(request)).toThrow(expect.objectContaining({ code }));
});

it('demosaics mosaics only', () => {
  const request = { task: 'demosaic', model: 'own-1-x1' } as const;
  const mosaic = { width: 2, height: 2, data: new Uint8Array(4), pattern: 'RGGB' } as const;
  expect(forTask(request, own, mosaic)).toBe(request);
  const attempt = () => forTask(request, own, 'photo.png');
  expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
});

it('says so where there is no model for a task', () => {
  const kept = files.splice(0);
  try {
    const attempt = () => forTask({ task: 'denoise' });
    expect(attempt).toThrow(expect.objectContaining({ code: 'MODEL_UNKNOWN' }));
  } finally {
    files.push(...kept);
  }
});

it('restores first and enlarges then', () => {
  const image = { width: 10, height: 7 };
  const link = dejpeg;
  const added = { id: own[0].id, scale: 1 };
  for (const [chosen, wish, size, after] of [
    [link, { scale: 2 }, [20, 14], ['a2n-photo-x2']],
    [link, { width: 80 }, [80, 56], ['a2n-photo-x2', 'a2n-photo-x4']],
    [link, { scale: 0.5 }, [5, 4], []],
    [added, { scale: 3 }, [30, 21], ['pan-photo-x3']],
    [added, null, [10, 7], []],
  ] as const) {
    const request = forTask({ task: 'dejpeg', model: chosen.id, ...wish }, own);
    const plan = planUpscale(request, own);
    const by = chosen === dejpeg ? { shipped: dejpeg.id } : { own: chosen };
    const { models, ...way } = planChain(files, image, plan.wish ?? { scale: plan.scale }, by);
    expect([way.size.width, way.size.height]).toEqual(size);
    expect(models.map(({ id }) => id)).toEqual([chosen.id, ...after]);
    expect(models[0]).toBe(chosen);
  }
});
