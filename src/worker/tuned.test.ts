import { expect, it, vi } from 'vitest';
import type { TuneOptions, TuneResult } from '../engine/tune/measure.ts';
import type { AdapterReport } from '../engine/types.ts';
import { type TunedPlatform, tunedFor } from './tuned.ts';

const adapter: AdapterReport = {
  vendor: 'acme',
  architecture: 'roadrunner',
  device: '',
  description: '',
  isFallbackAdapter: false,
  features: [],
};
const best = { fuse: 'ops', conv: 'short', tileColumns: 8 } as const;

/** A Cache API in memory, and a measurement that counts its calls. */
function platform(found: TuneResult['best'] | Error = best) {
  const kept = new Map<string, Response>();
  const cache = {
    match: async (key: string) => kept.get(key)?.clone(),
    put: async (key: string, response: Response) => void kept.set(key, response),
  };
  const measure = vi.fn(async (_: TuneOptions) => {
    if (found instanceof Error) throw found;
    return { best: found } as TuneResult;
  });
  return {
    measure,
    kept,
    origin: 'https://page.test',
    userAgent: 'browser 1',
    caches: { open: async () => cache as unknown as Cache },
  } satisfies TunedPlatform & { kept: unknown };
}

it('measures an adapter once, and again where the adapter or the browser changed', async () => {
  const here = platform();
  expect(await tunedFor(adapter, here)).toMatchObject({ fuse: 'ops', tileColumns: 8 });
  expect(await tunedFor(adapter, here)).toMatchObject({ fuse: 'ops', tileColumns: 8 });
  expect(here.measure).toHaveBeenCalledTimes(1);
  await tunedFor({ ...adapter, architecture: 'coyote' }, here);
  await tunedFor(adapter, { ...here, userAgent: 'browser 2' });
  expect(here.measure).toHaveBeenCalledTimes(3);
  expect(here.kept.size).toBe(3);
});

it('keeps what is chosen for f16 too', async () => {
  const half = { fuse: 'blocks', conv: 'plain', tileColumns: 16 } as const;
  const here = platform({ ...best, half });
  for (let i = 0; i < 2; i++) {
    expect(await tunedFor(adapter, here)).toMatchObject({ fuse: 'ops', half: { fuse: 'blocks' } });
  }
  expect(here.measure).toHaveBeenCalledTimes(1);
});

it('compares levels of fusion on GPUs only', async () => {
  const here = platform();
  await tunedFor(adapter, here);
  await tunedFor({ ...adapter, isFallbackAdapter: true }, { ...here, userAgent: 'other' });
  const [gpu, software] = here.measure.mock.calls.map(([options]) => options);
  expect(gpu.fusions).toEqual(['ops', 'blocks']);
  expect(software.fusions).toEqual([]);
  expect(software.sizes[0].width).toBeLessThan(gpu.sizes[0].width);
});

it('measures again where what was kept is of no use', async () => {
  const here = platform();
  await tunedFor(adapter, here);
  const [[key]] = here.kept;
  for (const damaged of [
    { ...best, conv: 'toString' },
    { ...best, tileColumns: 9 },
    null,
    [],
    'ops',
    { ...best, half: {} },
  ]) {
    here.kept.set(key, Response.json(damaged));
    await tunedFor(adapter, here);
  }
  here.kept.set(key, new Response('{'));
  await tunedFor(adapter, here);
  expect(here.measure).toHaveBeenCalledTimes(8);
});

it('goes by the table, and keeps nothing, where measuring fails', async () => {
  vi.spyOn(console, 'warn').mockImplementationOnce(() => {});
  const here = platform(new Error('refused'));
  expect(await tunedFor(adapter, here)).toMatchObject({ fuse: 'ops', tileColumns: 16 });
  expect(here.kept.size).toBe(0);
});

it('works without a cache', async () => {
  const here = { ...platform(), caches: undefined };
  expect(await tunedFor(adapter, here)).toMatchObject({ fuse: 'ops' });
  const refusing = { open: () => Promise.reject(new Error('private window')) };
  expect(await tunedFor(adapter, { ...here, caches: refusing })).toMatchObject({ fuse: 'ops' });
  expect(here.measure).toHaveBeenCalledTimes(2);
});
