import { expect, it } from 'vitest';
import type { ErrorCode } from '../errors.ts';
import { defaultModel } from '../models/files.ts';
import { MODELS } from '../models/manifest.ts';
import {
  checkOutputType,
  checkQuality,
  chooseModel,
  type PlanChoice,
  planUpscale,
} from './request.ts';

it('fills in the defaults', () => {
  expect(planUpscale({})).toEqual({
    model: defaultModel(2).id,
    scale: 2,
    output: 'bitmap',
    quality: 0.92,
    fallback: 'error',
    metadata: 'drop',
    preview: null,
  });
  expect(planUpscale({ scale: 3 }).model).toBe(defaultModel(3).id);
});

it("takes a model's scale where none is given", () => {
  for (const { id, scale } of MODELS) expect(planUpscale({ model: id }).scale).toBe(scale);
});

it.each<[unknown, ErrorCode]>([
  [{ scale: 5 }, 'INVALID_INPUT'],
  [{ scale: Number.NaN }, 'INVALID_INPUT'],
  [{ scale: '2' }, 'INVALID_INPUT'],
  [{ scale: 3, model: 'a2n-x2' }, 'INVALID_INPUT'],
  [{ model: 'a3n-x2' }, 'MODEL_UNKNOWN'],
  [{ model: '' }, 'MODEL_UNKNOWN'],
  [{ quality: Number.NaN }, 'INVALID_INPUT'],
  [{ quality: 1.01 }, 'INVALID_INPUT'],
  [{ output: 'image/gif' }, 'INVALID_INPUT'],
  [{ fallback: 'maybe' }, 'INVALID_INPUT'],
])('refuses %o with %s', (request, code) => {
  expect(() => planUpscale(request as PlanChoice)).toThrow(expect.objectContaining({ code }));
});

it('tells the models that there are', () => {
  const attempt = () => chooseModel({ model: 'nope' });
  expect(attempt).toThrow(expect.objectContaining({ hint: expect.stringContaining('a2n-x2') }));
});

it('checks what encode is given', () => {
  expect(checkQuality()).toBe(0.92);
  expect(checkQuality(0)).toBe(0);
  expect(checkOutputType('image/webp')).toBe('image/webp');
  for (const type of ['bitmap', 'image/bmp'] as never[]) {
    expect(() => checkOutputType(type)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  }
});

it('writes PNG to a target, and checks what goes with one', () => {
  const to = new WritableStream<Uint8Array>();
  expect(planUpscale({ to, preview: 100 })).toMatchObject({ output: 'image/png', preview: 100 });
  expect(planUpscale({ to, output: 'image/webp' }).output).toBe('image/webp');
  const wrong = [
    { to, output: 'bitmap' },
    { preview: 100 },
    { to, preview: 0 },
    { to: 'photo.png' },
  ] as never[];
  for (const request of wrong) {
    expect(() => planUpscale(request)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  }
});
