import { describe, expect, it, vi } from 'vitest';
import { type Backend, openBackend } from './backend.ts';
import { Enlarger } from './enlarger.ts';

const cpu = await openBackend('cpu', {}, 1);
const image = { width: 20, height: 10 };

/** Creates an enlarger whose backend returns a fixed estimate or throws an error. */
function enlargerOf(milliseconds: number | Error, settings: object = { model: 'auto' }) {
  const estimate = vi.fn<Backend['estimate']>(async () => {
    if (milliseconds instanceof Error) throw milliseconds;
    return milliseconds;
  });
  return { enlarger: new Enlarger({ ...cpu, estimate }, settings), estimate };
}
const names = (plan: { chain: readonly { name: string }[] }) => plan.chain.map(({ name }) => name);

describe('the model auto', () => {
  it('is the best one up to 3 s, and the fast one beyond', async () => {
    const slow = enlargerOf(3001);
    const plan = await slow.enlarger.plan(image, { size: { scale: 2 } });
    expect(names(plan)).toEqual(['pan-photo-x2']);
    expect(plan.auto).toEqual({ speed: 'fast', bestMs: 3001, others: ['a2n-photo-x2'] });
    expect(slow.estimate.mock.calls[0][0]).toMatchObject([image]);
    const quick = await enlargerOf(2999).enlarger.plan(image, { size: null });
    expect(names(quick)).toEqual(['a2n-photo-x2']);
    const unknown = await enlargerOf(new Error('lost')).enlarger.plan(image, { size: null });
    expect(names(unknown)).toEqual(['a2n-photo-x2']);
  });

  it('is chosen for a chain, and after a restoration', async () => {
    const { enlarger } = enlargerOf(9000);
    const six = await enlarger.plan(image, { size: { scale: 6 } });
    expect(names(six)).toEqual(['pan-photo-x2', 'pan-photo-x3']);
    const clean = await enlarger.plan(image, { size: { scale: 2 }, task: 'dejpeg' });
    expect(names(clean)).toEqual(['a2n-jpeg-x1', 'pan-photo-x2']);
    const only = await enlarger.plan(image, { size: null, task: 'dejpeg' });
    expect(names(only)).toEqual(['a2n-jpeg-x1']);
    expect(only.auto).toMatchObject({ others: [] });
  });

  it('is nothing to ask for where no network runs or another model is named', async () => {
    const { enlarger, estimate } = enlargerOf(9000);
    expect(await enlarger.plan(image, { size: { scale: 2 }, method: 'lanczos' })).toMatchObject({
      chain: [],
      auto: null,
    });
    const named = enlargerOf(9000, { model: 'a2n-photo-x2' });
    const plan = await named.enlarger.plan(image, { size: null });
    expect([names(plan), plan.auto]).toEqual([['a2n-photo-x2'], null]);
    const usual = await enlargerOf(9000, {}).enlarger.plan(image, { size: null });
    expect([names(usual), usual.auto]).toEqual([['a2n-photo-x2'], null]);
    expect(estimate).not.toHaveBeenCalled();
  });

  it('has no weights', async () => {
    const { enlarger } = enlargerOf(0, { model: 'auto', weights: 'a.pth' });
    const code = 'INVALID_INPUT';
    await expect(enlarger.plan(image, { size: null })).rejects.toMatchObject({ code });
  });
});

it('the CPU estimates more for more work', async () => {
  const { chain } = await new Enlarger(cpu).plan(image, { size: null });
  const [{ network }] = chain;
  const run = (height: number) => cpu.estimate([{ network, width: 100, height }]);
  const [one, two] = [await run(100), await run(200)];
  expect(one).toBeGreaterThan(0);
  expect(Number(two) / Number(one)).toBeCloseTo(2, 6);
});
