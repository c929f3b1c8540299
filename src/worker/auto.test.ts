import { describe, expect, it, vi } from 'vitest';
import { findModel, MODEL_FILES } from '../catalog/files.ts';
import { shippedNetwork } from '../catalog/network.ts';
import type { Engine } from '../engine/engine.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import { type AutoServices, chooseAuto } from './auto.ts';

const runnable = (id: string) => {
  const entry = findModel(id);
  return { id, scale: entry.scale, entry };
};
const best = [runnable('a2n-photo-x2')];
const image = { width: 100, height: 80 };
const ids = ({ models }: { readonly models: readonly { readonly id: string }[] }) =>
  models.map(({ id }) => id);

/** Creates services for a machine without a GPU. The estimated time on the CPU is 1000 ms. */
function services(parts: Partial<AutoServices> = {}) {
  const estimate = vi.fn(async (_: readonly object[]) => 1000);
  const retry = vi.fn(() => Promise.reject(new Error('no GPU here')));
  const made: AutoServices = {
    host: { retry } as unknown as AutoServices['host'],
    loader: { network: async ({ entry }) => shippedNetwork(entry ?? findModel('a2n-x2')) },
    config: { files: MODEL_FILES },
    cpu: async () => ({ estimate }),
    ...parts,
  };
  return { made, estimate, retry };
}

/** Creates a host whose last job ran at the given speed. Null means that there was no job. */
function engineOf(workPerMs: number | null) {
  const pace = { expect: (work: number) => workPerMs && work / workPerMs };
  const engine = { run: (work: (given: object) => unknown) => work({ pace }) };
  const retry = vi.fn((task: (given: Engine) => unknown) => task(engine as unknown as Engine));
  return { retry: retry as unknown as AutoServices['host']['retry'] };
}

describe('on the CPU', () => {
  it('asks for one estimate, of every run at its size', async () => {
    const { made, estimate } = services();
    const chain = [...best, runnable('pan-photo-x3')];
    expect(ids(await chooseAuto(made, image, chain, false))).toEqual([
      'a2n-photo-x2',
      'pan-photo-x3',
    ]);
    expect(estimate).toHaveBeenCalledTimes(1);
    expect(estimate.mock.calls[0][0]).toMatchObject([
      { model: { id: 'a2n-photo-x2' }, width: 100, height: 80 },
      { model: { id: 'pan-photo-x3' }, width: 200, height: 160 },
    ]);
  });

  it('takes the fast models beyond 3 s', async () => {
    const { made, estimate, retry } = services();
    estimate.mockResolvedValue(3001);
    const chosen = await chooseAuto(made, image, best, false);
    expect(ids(chosen)).toEqual(['pan-photo-x2']);
    expect(chosen.models[0]).toMatchObject({ scale: 2, entry: findModel('pan-photo-x2') });
    expect(chosen.auto).toEqual({ speed: 'fast', bestMs: 3001, others: ['a2n-photo-x2'] });
    expect(retry).not.toHaveBeenCalled();
  });
});

describe('on a GPU', () => {
  it('divides the work by the pace, and asks no CPU', async () => {
    const work = multiplyAddsPerPixel((await shippedNetwork(findModel('a2n-photo-x2'))).graph);
    const cpu = vi.fn();
    for (const [seconds, id] of [
      [2.9, 'a2n-photo-x2'],
      [3.1, 'pan-photo-x2'],
    ] as const) {
      const host = engineOf((work * 8000) / (seconds * 1000));
      const { made } = services({ host, cpu });
      const chosen = await chooseAuto(made, image, best, true);
      expect(ids(chosen)).toEqual([id]);
      expect(chosen.auto.bestMs).toBeCloseTo(seconds * 1000, 3);
    }
    expect(cpu).not.toHaveBeenCalled();
  });

  it('takes the best models before its first job, and where asking fails', async () => {
    const first = services({ host: engineOf(null) });
    expect(await chooseAuto(first.made, image, best, true)).toMatchObject({
      auto: { speed: 'best', bestMs: null },
    });
    const { made, retry } = services();
    const chosen = await chooseAuto(made, image, best, true);
    expect(retry).toHaveBeenCalledTimes(1);
    expect(ids(chosen)).toEqual(['a2n-photo-x2']);
    expect(chosen.auto).toMatchObject({ speed: 'best', bestMs: null, others: ['pan-photo-x2'] });
  });
});

it('ends with its cancellation', async () => {
  const controller = new AbortController();
  const { made, estimate } = services();
  estimate.mockImplementation(async () => {
    controller.abort();
    return 60_000;
  });
  const choosing = chooseAuto(made, image, best, false, controller.signal);
  await expect(choosing).rejects.toMatchObject({ code: 'ABORTED' });
});
