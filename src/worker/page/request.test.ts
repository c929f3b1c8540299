import { expect, it } from 'vitest';
import { defaultModel } from '../../catalog/files.ts';
import { MODELS } from '../../catalog/manifest.ts';
import type { ErrorCode } from '../../errors.ts';
import type { UpscalePlan } from '../protocol.ts';
import type { PlanChoice } from './options.ts';
import { chooseModel, planUpscale } from './request.ts';

it('fills in the defaults', () => {
  expect(planUpscale({})).toEqual({
    model: defaultModel(2).id,
    scale: 2,
    wish: null,
    region: null,
    method: null,
    depth: null,
    output: 'bitmap',
    quality: 0.92,
    metadata: 'drop',
    preview: null,
    tiling: {},
    asks: false,
  });
  expect(planUpscale({ confirm: () => true }).asks).toBe(true);
  expect(planUpscale({ scale: 3 }).model).toBe(defaultModel(3).id);
});

it("takes a model's scale where none is given", () => {
  for (const { id, scale } of MODELS) expect(planUpscale({ model: id }).scale).toBe(scale);
});

it.each<[unknown, ErrorCode]>([
  [{ scale: 3, model: 'a3n-x2' }, 'MODEL_UNKNOWN'],
  [{ model: 'a3n-x2' }, 'MODEL_UNKNOWN'],
  [{ model: '' }, 'MODEL_UNKNOWN'],
  [{ scale: 2, width: 100 }, 'INVALID_INPUT'],
  [{ width: 10, fit: { width: 10, height: 10 } }, 'INVALID_INPUT'],
  [{ depth: 16 }, 'INVALID_INPUT'],
  [{ depth: 16, output: 'image/jpeg' }, 'INVALID_INPUT'],
  [{ to: {}, output: 'bitmap' }, 'INVALID_INPUT'],
])('refuses %o with %s', (request, code) => {
  expect(() => planUpscale(request as PlanChoice)).toThrow(expect.objectContaining({ code }));
});

it('tells the models that there are', () => {
  const attempt = () => chooseModel({ model: 'nope' });
  expect(attempt).toThrow(expect.objectContaining({ hint: expect.stringContaining('a2n-x2') }));
});

it('passes on how the network is run', () => {
  const { tiling } = planUpscale({ tileSize: 64, edge: 'wrap' });
  expect(tiling).toEqual({ tileSize: 64, edge: 'wrap' });
});

it('writes PNG to a target', () => {
  const to = new WritableStream<Uint8Array>();
  expect(planUpscale({ to, preview: 100 })).toMatchObject({ output: 'image/png', preview: 100 });
  expect(planUpscale({ to, output: 'image/webp' }).output).toBe('image/webp');
});

it.each<[PlanChoice, Partial<UpscalePlan>]>([
  [{ scale: 4 }, { model: defaultModel(4).id, scale: 4, wish: null }],
  [{ scale: 2.7 }, { model: null, wish: { scale: 2.7 } }],
  [{ scale: 8 }, { model: null, wish: { scale: 8 } }],
  [
    { scale: 3, model: 'a2n-x2' },
    { model: 'a2n-x2', wish: { scale: 3 } },
  ],
  [
    { scale: 2, model: 'a2n-x2' },
    { model: 'a2n-x2', wish: null },
  ],
  [{ width: 1920 }, { model: null, wish: { width: 1920 } }],
  [
    { height: 1080, model: 'a2n-x4' },
    { model: 'a2n-x4', wish: { height: 1080 } },
  ],
  [{ fit: { width: 9, height: 8 } }, { model: null, wish: { fit: { width: 9, height: 8 } } }],
  [
    { method: 'lanczos', scale: 0.5 },
    { method: 'lanczos', wish: { scale: 0.5 } },
  ],
  [
    { depth: 16, output: 'image/png' },
    { depth: 16, wish: null },
  ],
])('%j is planned as %j', (request, expected) => {
  expect(planUpscale(request)).toMatchObject(expected);
});

it('any size of an added model is made by it alone', () => {
  const added = [{ id: 'own-1-x4', scale: 4, task: 'upscale' as const }];
  expect(planUpscale({ model: 'own-1-x4', scale: 4 }, added)).toMatchObject({ wish: null });
  const plan = planUpscale({ model: 'own-1-x4', scale: 2 }, added);
  expect(plan).toMatchObject({ model: 'own-1-x4', wish: { scale: 2 } });
});
