import { describe, expect, it, vi } from 'vitest';
import { findModel } from '../catalog/files.ts';
import { shippedNetwork } from '../catalog/network.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import { chainFor, estimateCpu } from './beyond.ts';

const image = { width: 100, height: 60 };
const plan = { wish: null, scale: 2, method: null, depth: null, output: 'image/png' } as const;
const link = (id: string) => ({ id, scale: findModel(id).scale, entry: findModel(id) });
const ids = ({ chain }: ReturnType<typeof chainFor>) => chain.map(({ id }) => id);

describe('chainFor', () => {
  it('takes the default models where none was chosen', () => {
    const way = chainFor(image, { ...plan, wish: { scale: 8 } }, null);
    expect(way.size).toEqual({ width: 800, height: 480 });
    expect(ids(way)).toEqual(['a2n-photo-x2', 'pan-photo-x4']);
    expect(way.chain.every(({ entry }) => entry !== null)).toBe(true);
  });

  it('keeps to the family of a shipped model, and to an added model', () => {
    expect(ids(chainFor(image, { ...plan, wish: { scale: 2.7 } }, link('a2n-x2')))).toEqual([
      'a2n-x3',
    ]);
    const own = { id: 'own-1', scale: 2, entry: null };
    const way = chainFor(image, { ...plan, wish: { fit: { width: 350, height: 900 } } }, own);
    expect(way).toEqual({ size: { width: 350, height: 210 }, chain: [own, own] });
  });

  it('takes none to reduce', () => {
    expect(chainFor(image, { ...plan, wish: { width: 50 } }, null)).toEqual({
      ...{ size: { width: 50, height: 30 }, chain: [] },
    });
  });
});

describe('estimateCpu', () => {
  it('counts every network of the chain, each at its own size', async () => {
    const asked: string[] = [];
    const estimate = (wanted: Parameters<typeof chainFor>[1], chosen: ReturnType<typeof link>) =>
      estimateCpu(image, wanted, chosen, (used) => {
        asked.push(used.id);
        return Promise.resolve(shippedNetwork(findModel(used.id)));
      });
    // The probe reads a clock: one that goes on by the same step makes the ratio exact.
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 20));
    try {
      const restore = link('a2n-jpeg-x1');
      const alone = await estimate({ ...plan, scale: 1 }, restore);
      const both = await estimate({ ...plan, wish: { scale: 4 } }, restore);
      const [one, four] = ['a2n-jpeg-x1', 'pan-photo-x4'].map((id) =>
        multiplyAddsPerPixel(shippedNetwork(findModel(id)).graph),
      );
      expect(both / alone).toBeCloseTo(1 + (four as number) / (one as number), 6);
      asked.length = 0;
      await estimate({ ...plan, wish: { scale: 8 } }, link('a2n-x2'));
      expect(asked).toEqual(['a2n-x2', 'a2n-x4']);
    } finally {
      clock.mockRestore();
    }
  });
});
