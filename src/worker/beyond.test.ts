import { describe, expect, it } from 'vitest';
import { findModel } from '../catalog/files.ts';
import { shippedNetwork } from '../catalog/network.ts';
import { chainFor, runsOf } from './beyond.ts';

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

describe('runsOf', () => {
  it('gives every network of the chain, each with its own size', async () => {
    const networkOf = async ({ id }: { id: string }) => shippedNetwork(findModel(id));
    const { chain } = chainFor(image, { ...plan, wish: { scale: 8 } }, link('a2n-x2'));
    const runs = await runsOf(image, chain, networkOf);
    expect(runs.map(({ width, height, network }) => [width, height, network.scale])).toEqual([
      [100, 60, 2],
      [200, 120, 4],
    ]);
  });
});
