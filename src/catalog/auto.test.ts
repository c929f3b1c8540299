import { describe, expect, it, vi } from 'vitest';
import { AUTO_MS, chooseSpeed } from './auto.ts';
import { planChain } from './chain.ts';
import { findModel, MODEL_FILES, type ModelFile } from './files.ts';

const [BEST, FAST] = ['a2n-photo-x2', 'pan-photo-x2'];
const image = { width: 300, height: 200 };

/**
 * Calls `chooseSpeed` for shipped models. The fake `estimate` returns `bestMs` as the time that the
 * best models take. If `bestMs` is an error, `estimate` throws it instead.
 */
async function choose(
  best: readonly string[],
  bestMs: number | null | Error,
  files: readonly ModelFile[] = MODEL_FILES,
) {
  const estimate = vi.fn(async (_: readonly ModelFile[]) => {
    if (bestMs instanceof Error) throw bestMs;
    return bestMs;
  });
  const models = best.map(findModel);
  const chosen = await chooseSpeed(files, models, (file) => file, estimate);
  return { ids: chosen.models.map(({ id }) => id), auto: chosen.auto, estimate };
}

describe('chooseSpeed', () => {
  it('takes the best model up to 3 s, and the fast one beyond', async () => {
    expect(await choose([BEST], AUTO_MS)).toMatchObject({
      ids: [BEST],
      auto: { speed: 'best', bestMs: AUTO_MS, others: [FAST] },
    });
    expect(await choose([BEST], AUTO_MS + 1)).toMatchObject({
      ids: [FAST],
      auto: { speed: 'fast', bestMs: AUTO_MS + 1, others: [BEST] },
    });
  });

  it('takes the best model of a machine whose speed is unknown', async () => {
    for (const unknown of [null, new Error('no estimate')]) {
      expect(await choose([BEST], unknown)).toMatchObject({
        ids: [BEST],
        auto: { speed: 'best', bestMs: null, others: [FAST] },
      });
    }
  });

  it('chooses for all runs of a chain together', async () => {
    const chain = planChain(MODEL_FILES, image, { scale: 6 }).models.map(({ id }) => id);
    expect(chain).toEqual([BEST, 'pan-photo-x3']);
    const { ids, auto, estimate } = await choose(chain, 10_000);
    expect(ids).toEqual([FAST, 'pan-photo-x3']);
    expect(auto.others).toEqual(chain);
    expect(estimate).toHaveBeenCalledTimes(1);
    expect(estimate.mock.calls[0][0].map(({ id }) => id)).toEqual(chain);
  });

  it('leaves restoration alone, and chooses what enlarges after it', async () => {
    const only = await choose(['a2n-jpeg-x1'], 60_000);
    expect(only.ids).toEqual(['a2n-jpeg-x1']);
    expect(only.estimate).not.toHaveBeenCalled();
    expect((await choose(['a2n-jpeg-x1', BEST], 60_000)).ids).toEqual(['a2n-jpeg-x1', FAST]);
  });

  it('estimates nothing where the best model is the fast one', async () => {
    const { ids, auto, estimate } = await choose(['pan-photo-x3'], 60_000);
    expect(ids).toEqual(['pan-photo-x3']);
    expect(auto).toEqual({ speed: 'best', bestMs: null, others: [] });
    expect(estimate).not.toHaveBeenCalled();
  });

  it('never takes a model of another kind', async () => {
    const sharp = { ...findModel(FAST), id: 'pan-sharp-x2', kind: 'sharp' } as unknown as ModelFile;
    const files = [sharp, ...MODEL_FILES.filter(({ id }) => id !== FAST)];
    const { ids, auto } = await choose([BEST], 60_000, files);
    expect(ids).toEqual([BEST]);
    expect(auto.others).toEqual([]);
    expect((await choose([BEST], 60_000, [sharp, ...MODEL_FILES])).ids).toEqual([FAST]);
  });
});
