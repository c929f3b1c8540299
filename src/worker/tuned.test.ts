import { expect, it, vi } from 'vitest';
import type { Device } from '../engine/gpu/device.ts';
import type { TuneOptions, TuneResult } from '../engine/tune/measure.ts';
import type { QuickOptions, QuickResult } from '../engine/tune/quick.ts';
import type { AdapterReport } from '../engine/types.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import { cacheStore, type TunedPlatform, tunedFor, tuneOnce } from './tuned.ts';

const adapter: AdapterReport = {
  vendor: 'acme',
  architecture: 'roadrunner',
  device: '',
  description: '',
  isFallbackAdapter: false,
  features: [],
};
const best = { fuse: 'ops', conv: 'short', tileColumns: 8 } as const;

/** Creates a platform with an in-memory cache and a fake benchmark that counts its calls. */
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
  const caches = { open: async () => cache as unknown as Cache };
  return {
    measure,
    kept,
    store: cacheStore(caches, 'https://page.test'),
    userAgent: 'browser 1',
  } satisfies TunedPlatform & { kept: unknown };
}

it('measures an adapter once, and again where the adapter or the browser changed', async () => {
  const here = platform();
  expect(await tunedFor(adapter, 'full', here)).toMatchObject({ fuse: 'ops', tileColumns: 8 });
  expect(await tunedFor(adapter, 'full', here)).toMatchObject({ fuse: 'ops', tileColumns: 8 });
  expect(here.measure).toHaveBeenCalledTimes(1);
  await tunedFor({ ...adapter, architecture: 'coyote' }, 'full', here);
  await tunedFor(adapter, 'full', { ...here, userAgent: 'browser 2' });
  expect(here.measure).toHaveBeenCalledTimes(3);
  expect(here.kept.size).toBe(3);
});

it('keeps what is chosen for f16 too', async () => {
  const half = { fuse: 'blocks', conv: 'plain', tileColumns: 16 } as const;
  const here = platform({ ...best, half });
  for (let i = 0; i < 2; i++) {
    const tuning = await tunedFor(adapter, 'full', here);
    expect(tuning).toMatchObject({ fuse: 'ops', half: { fuse: 'blocks' } });
  }
  expect(here.measure).toHaveBeenCalledTimes(1);
});

it('compares levels of fusion on GPUs only', async () => {
  const here = platform();
  await tunedFor(adapter, 'full', here);
  const software = { ...adapter, isFallbackAdapter: true };
  await tunedFor(software, 'full', { ...here, userAgent: 'other' });
  const [onGpu, onCpu] = here.measure.mock.calls.map(([options]) => options);
  expect(onGpu.fusions).toEqual(['ops', 'blocks']);
  expect(onCpu.fusions).toEqual([]);
  expect(onCpu.sizes[0].width).toBeLessThan(onGpu.sizes[0].width);
});

it('measures again where what was kept is of no use', async () => {
  const here = platform();
  await tunedFor(adapter, 'full', here);
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
    await tunedFor(adapter, 'full', here);
  }
  here.kept.set(key, new Response('{'));
  await tunedFor(adapter, 'full', here);
  expect(here.measure).toHaveBeenCalledTimes(8);
});

it('goes by the table, and keeps nothing, where measuring fails', async () => {
  vi.spyOn(console, 'warn').mockImplementationOnce(() => {});
  const here = platform(new Error('refused'));
  expect(await tunedFor(adapter, 'full', here)).toMatchObject({ fuse: 'ops', tileColumns: 16 });
  expect(here.kept.size).toBe(0);
});

it('works without a store', async () => {
  const here = { ...platform(), store: undefined };
  expect(await tunedFor(adapter, 'full', here)).toMatchObject({ fuse: 'ops' });
  const refusing = cacheStore({ open: () => Promise.reject(new Error('private')) }, 'https://a.b');
  const refused = await tunedFor(adapter, 'full', { ...here, store: refusing });
  expect(refused).toMatchObject({ fuse: 'ops' });
  expect(here.measure).toHaveBeenCalledTimes(2);
});

const quickly = () =>
  vi.fn(async (_: Device, __: QuickOptions): Promise<QuickResult | null> => {
    return { choice: { ...best, tileColumns: 16 }, spentMs: 100, timed: [] };
  });
const deviceOf = (report: AdapterReport) => ({ adapter: report }) as Device;

it('quick: the table first, measured once, and from then on what was kept', async () => {
  const [here, measure] = [platform(), quickly()];
  expect((await tunedFor(adapter, 'quick', here)).tileColumns).toBe(16);
  expect(await tuneOnce(deviceOf(adapter), here, {}, measure)).toBe(true);
  expect(await tuneOnce(deviceOf(adapter), here, {}, measure)).toBe(false);
  expect(measure).toHaveBeenCalledTimes(1);
  const spec = {
    kernel: 3,
    cIn: 8,
    cOut: 8,
    upsample: 1,
    act0: null,
    multiply: false,
    add: false,
    factor: 1,
    act1: null,
  } as const;
  const { conv } = await tunedFor(adapter, 'quick', here);
  expect(conv(spec).kernel(spec, 'f32').label).toBe('conv3x3 by strips of 4 x 1');
  // After a browser update, the adapter is benchmarked again.
  expect(await tuneOnce(deviceOf(adapter), { ...here, userAgent: 'b2' }, {}, measure)).toBe(true);
  expect(here.measure).not.toHaveBeenCalled();
});

it('quick: a full measurement counts more, and spares the quick one', async () => {
  const [here, measure] = [platform(), quickly()];
  await tunedFor(adapter, 'full', here);
  expect((await tunedFor(adapter, 'quick', here)).tileColumns).toBe(8);
  expect(await tuneOnce(deviceOf(adapter), here, {}, measure)).toBe(false);
  expect(measure).not.toHaveBeenCalled();
});

it('quick: never on software adapters, nor where nothing can be kept', async () => {
  const [here, measure] = [platform(), quickly()];
  const software = deviceOf({ ...adapter, isFallbackAdapter: true });
  expect(await tuneOnce(software, here, {}, measure)).toBe(false);
  const without = { ...here, store: undefined };
  expect(await tuneOnce(deviceOf(adapter), without, {}, measure)).toBe(false);
  expect(measure).not.toHaveBeenCalled();
});

it('quick: cancelled, it keeps nothing, and the next try measures', async () => {
  const here = platform();
  const signal = AbortSignal.abort();
  const cancelled = async (_: Device, options: QuickOptions) => {
    throwIfAborted(options.signal);
    return null;
  };
  const tried = tuneOnce(deviceOf(adapter), here, { signal }, cancelled);
  await expect(tried).rejects.toThrow(CrispenError);
  expect(here.kept.size).toBe(0);
  expect(await tuneOnce(deviceOf(adapter), here, {}, quickly())).toBe(true);
});
