import { describe, expect, it, vi } from 'vitest';
import { createNetwork } from '../src/networks/registry.ts';
import type { Contender, EngineId } from './contender.ts';
import { maxAbsDifference, measure, median, PATIENCE_MS } from './measure.ts';

const network = createNetwork('a2n', { scale: 2 });
const task = {
  network,
  weights: new Map(),
  image: { width: 4, height: 5, data: new Uint8ClampedArray(80) },
};
const ceiling = { multiplyAdds: { f32: 1e6, f16: null }, bandwidth: 1e6 };

/** Creates contenders with a simulated clock. `ms` lists how long the runs take. */
function stage() {
  let clock = 0;
  const log: string[] = [];
  const contender = (
    engine: EngineId,
    ms: number[],
    output: number[] | Error = [0.5],
    precision: 'f32' | 'f16' = 'f32',
  ): Contender => ({
    engine,
    precision,
    async open() {
      if (output instanceof Error) throw output;
      clock += 100;
      let runs = 0;
      return {
        async run() {
          log.push(engine);
          clock += ms[Math.min(runs++, ms.length - 1)];
        },
        output: async () => Float32Array.from(output),
        cost: { multiplyAddsPerPixel: 1000, bytesPerPixel: 500 },
        async close() {
          log.push(`close ${engine}`);
        },
      };
    },
  });
  const gauge = {
    begin: () => {},
    memory: () => ({ held: 10, peak: 20 }),
    takeDispatches: () => 7,
  };
  return { contender, log, options: { repeats: 3, gauge, ceiling, now: () => clock } };
}

describe('measure', () => {
  it('times everybody in turn, after a first run that stands apart', async () => {
    const { contender, log, options } = stage();
    const fused = contender('crispen-fused', [50, 10, 30, 20]);
    const plain = contender('crispen-unfused', [60, 40]);
    const rows = await measure([fused, plain], task, { ...options, reference: plain });
    const round = ['crispen-fused', 'crispen-unfused'];
    expect(log.filter((line) => !line.startsWith('close'))).toEqual([
      ...round,
      ...round,
      ...round,
      ...round,
    ]);
    expect(rows[0]).toEqual({
      engine: 'crispen-fused',
      precision: 'f32',
      network: 'a2n',
      scale: 2,
      width: 4,
      height: 5,
      medianMs: 20,
      firstMs: 150,
      gpuBytes: 20,
      dispatches: 7,
      maxAbsDiff: 0,
      multiplyAddsPerPixel: 1000,
      bytesPerPixel: 500,
      // 20 pixels in 20 ms are 1000 pixels per second.
      multiplyAddShare: 1,
      bandwidthShare: 0.5,
    });
    expect(rows[1]).toMatchObject({ medianMs: 40, firstMs: 160 });
    // The reference was also opened for its output, so it is closed twice.
    expect(log.filter((line) => line === 'close crispen-unfused')).toHaveLength(2);
  });

  it('measures engines on the CPU by what so many cores can do, each number of threads by itself', async () => {
    const { contender, options } = stage();
    const plain = contender('crispen-unfused', [1]);
    const cost = { multiplyAddsPerPixel: 1000 };
    const onCpu = (threads: number, ms: number): Contender => ({
      ...contender('crispen-cpu', [ms]),
      threads,
      open: async (task) => ({ ...(await contender('crispen-cpu', [ms]).open(task)), cost }),
    });
    const one = onCpu(1, 20);
    const failing = { ...contender('crispen-cpu', [1], new Error('not isolated')), threads: 2 };
    const rows = await measure([one, failing, onCpu(4, 10)], task, {
      ...options,
      reference: plain,
      ceiling: { ...ceiling, core: 4e6 },
    });
    expect(rows.map(({ threads }) => threads)).toEqual([1, 2, 4]);
    expect(rows[1]).toMatchObject({ error: 'not isolated', medianMs: null });
    // 20 pixels with 1000 multiply-adds each in 20 ms are 1e6 per second. The peak is 4e6. In 10
    // ms, they are 2e6 per second, and the peak for four threads is 16e6.
    expect(rows[0]).toMatchObject({ gflopsPerThread: 0.002, multiplyAddShare: 0.25 });
    expect(rows[2]).toMatchObject({ gflopsPerThread: 0.001, multiplyAddShare: 0.125 });
    expect(rows[0].bandwidthShare).toBeUndefined();
  });

  it('tells how far it is: every step once, and within a first run', async () => {
    const { contender, options } = stage();
    const plain = contender('crispen-unfused', [1]);
    const fused: Contender = {
      ...contender('crispen-fused', [1]),
      open: async (task) => {
        const runner = await contender('crispen-fused', [1]).open(task);
        return {
          ...runner,
          async run(onProgress) {
            onProgress?.(0.5);
            await runner.run();
          },
        };
      },
    };
    const seen: number[] = [];
    await measure([fused], task, {
      ...options,
      reference: plain,
      onProgress: (done) => seen.push(done),
    });
    // The steps are the reference's output, the first run and three more runs.
    expect(seen).toEqual([0, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1]);
  });

  it.each(['opening', 'the first run', 'a run that counts', 'the output'])(
    'ends at once when it is cancelled: %s',
    async (when) => {
      const { contender, log, options } = stage();
      const plain = contender('crispen-unfused', [1]);
      const cancel = new AbortController();
      const reason = new Error('cancelled');
      const never = () => {
        queueMicrotask(() => cancel.abort(reason));
        return new Promise<never>(() => {});
      };
      let openLate = () => {};
      const stuck: Contender = {
        ...contender('crispen-fused', [1]),
        async open(task) {
          const runner = await contender('crispen-fused', [1]).open(task);
          if (when === 'opening') {
            void never();
            await new Promise<void>((resolve) => {
              openLate = resolve;
            });
          }
          let runs = 0;
          return {
            ...runner,
            run: () =>
              when === (runs++ === 0 ? 'the first run' : 'a run that counts')
                ? never()
                : runner.run(),
            output: () => (when === 'the output' ? never() : runner.output()),
          };
        },
      };
      const other = contender('crispen-cpu', [1]);
      const measured = measure(
        [stuck, other],
        { ...task, signal: cancel.signal },
        {
          ...options,
          reference: plain,
        },
      );
      await expect(measured).rejects.toBe(reason);
      openLate();
      await vi.waitFor(() => expect(log).toContain('close crispen-fused'));
      const isOtherOpen = when === 'a run that counts';
      expect(log.includes('close crispen-cpu')).toBe(isOtherOpen);
    },
  );

  it('runs who takes too long once more only', async () => {
    const { contender, log, options } = stage();
    const slow = contender('ort-webgpu', [PATIENCE_MS + 1, 9, 1]);
    const plain = contender('crispen-unfused', [1]);
    const rows = await measure([slow, plain], task, { ...options, reference: plain });
    expect(log.filter((line) => line === 'ort-webgpu')).toHaveLength(2);
    expect(rows[0]).toMatchObject({ medianMs: 9 });
  });

  it('times no output that disagrees, NaN included, and goes on past failures', async () => {
    const { contender, options } = stage();
    const plain = contender('crispen-unfused', [1]);
    const rows = await measure(
      [
        contender('ort-wasm', [1], [0.6]),
        contender('ort-webgpu', [1], [Number.NaN]),
        contender('tfjs-webgpu', [1], new Error('no such op')),
        contender('crispen-f16', [1], [0.501], 'f16'),
      ],
      task,
      { ...options, reference: plain },
    );
    expect(rows[0].error).toMatch(/0\.1\d* away from crispen-unfused/);
    expect(rows[1].error).toMatch(/NaN away/);
    expect(rows[2]).toMatchObject({ error: 'no such op', medianMs: null, firstMs: null });
    expect(rows.map(({ medianMs }) => medianMs)).toEqual([null, null, null, 1]);
    expect(rows[3].multiplyAddShare).toBeUndefined();
  });
});

describe('maxAbsDifference', () => {
  it('is the largest, and never small for outputs that do not match', () => {
    expect(maxAbsDifference(Float32Array.of(1, 2), Float32Array.of(1.5, 1))).toBe(1);
    expect(maxAbsDifference(Float32Array.of(1), Float32Array.of(1, 1))).toBe(Infinity);
  });
});

describe('median', () => {
  it('is the middle one or the mean of the two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });
});
