import { describe, expect, it } from 'vitest';
import { type Chain, planChain, runsOf } from './chain.ts';
import { findModel, MODEL_FILES } from './files.ts';
import { shippedNetwork } from './network.ts';

const image = { width: 100, height: 60 };
const ids = ({ models }: Chain<{ id: string; scale: number }>) => models.map(({ id }) => id);

describe('planChain', () => {
  it('takes the default models where none was chosen', () => {
    const chain = planChain(MODEL_FILES, image, { scale: 8 });
    expect(chain).toMatchObject({ size: { width: 800, height: 480 }, factor: 8 });
    expect(ids(chain)).toEqual(['a2n-photo-x2', 'a2n-photo-x4']);
  });

  it('keeps to the family of a shipped model, and to a model of the user’s own', () => {
    expect(ids(planChain(MODEL_FILES, image, { scale: 2.7 }, { shipped: 'a2n-x2' }))).toEqual([
      'a2n-x3',
    ]);
    const own = { id: 'own-1', scale: 2 };
    expect(planChain(MODEL_FILES, image, { fit: { width: 350, height: 900 } }, { own })).toEqual({
      size: { width: 350, height: 210 },
      factor: 3.5,
      models: [own, own],
    });
  });

  it('takes none to reduce', () => {
    expect(planChain(MODEL_FILES, image, { width: 50 })).toEqual({
      size: { width: 50, height: 30 },
      factor: 0.5,
      models: [],
    });
  });

  it('refuses a factor beyond 16, and an unknown model', () => {
    expect(() => planChain(MODEL_FILES, image, { width: 1700 })).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT' }),
    );
    expect(() => planChain(MODEL_FILES, image, { scale: 2 }, { shipped: 'a2n-x9' })).toThrow(
      expect.objectContaining({ code: 'MODEL_UNKNOWN' }),
    );
  });
});

it('gives every network of a chain its own size', async () => {
  const { models } = planChain(MODEL_FILES, image, { scale: 8 }, { shipped: 'a2n-x2' });
  const runs = await runsOf(image, models, ({ id }) => shippedNetwork(findModel(id)));
  expect(runs.map(({ width, height, network }) => [width, height, network.scale])).toEqual([
    [100, 60, 2],
    [200, 120, 4],
  ]);
});
