import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Row } from '../bench/contender.ts';
import type { PageRequest, PageResult } from '../bench/page/page.ts';
import { launch } from './browser.ts';

/** Set by bench/page/page.ts. */
type BenchWindow = { crispenBench: (request: PageRequest) => Promise<PageResult> };

let browser: Browser;
beforeAll(async () => {
  browser = await launch({ webgpu: true });
});
afterAll(() => browser.close());

it('the bench runs fused and unfused, which agree, and knows what they cost', async () => {
  const page = await browser.newPage();
  await page.goto(`${inject('siteUrl')}bench.html`);
  const request: PageRequest = {
    engines: ['crispen-fused', 'crispen-unfused', 'crispen-f16', 'crispen-cpu'],
    sizes: [[16, 16]],
    repeats: 1,
    scale: 2,
    weights: null,
    threads: [1],
    registers: null,
  };
  const { rows, ceiling, adapter } = await page.evaluate(
    (request) => (window as unknown as BenchWindow).crispenBench(request),
    request,
  );
  expect(adapter).not.toBe('');
  expect(ceiling.multiplyAdds.f32).toBeGreaterThan(0);
  expect(ceiling.bandwidth).toBeGreaterThan(0);
  expect(rows.map(({ engine }) => engine)).toEqual(request.engines);
  const [fused, unfused, half, cpu] = rows;
  for (const row of [fused, unfused]) {
    expect(row).toMatchObject({ network: 'a2n', scale: 2, width: 16, height: 16 });
    expect(row).toMatchObject({ precision: 'f32', multiplyAddsPerPixel: 1074072 });
    expect(row.error).toBeUndefined();
    const positive: (keyof Row)[] = ['medianMs', 'firstMs', 'gpuBytes', 'bytesPerPixel'];
    for (const field of [...positive, 'multiplyAddShare', 'bandwidthShare'] as const) {
      expect(row[field], field).toBeGreaterThan(0);
    }
    expect(row.firstMs).toBeGreaterThan(row.medianMs!);
    expect(row.multiplyAddShare).toBeLessThan(1);
    // Outputs are within 0..1, and other orders of summation round differently.
    expect(row.maxAbsDiff).toBeLessThan(1e-4);
  }
  expect(fused.dispatches).toBeLessThan(unfused.dispatches!);
  expect(fused.bytesPerPixel).toBeLessThan(unfused.bytesPerPixel!);
  // The software adapter has no f16, which gives a row with an error and does not stop the others.
  expect(half.precision).toBe('f16');
  if (half.error === undefined) expect(half.maxAbsDiff).toBeLessThan(2e-2);
  else expect(half).toMatchObject({ medianMs: null, error: expect.stringMatching(/f16/) });
  expect(cpu.error).toBeUndefined();
  expect(cpu).toMatchObject({ threads: 1, multiplyAddsPerPixel: 1074072, dispatches: 0 });
  expect(cpu.gflopsPerThread).toBeGreaterThan(0);
  expect(cpu.maxAbsDiff).toBeLessThan(1e-5);
  await page.close();
});
