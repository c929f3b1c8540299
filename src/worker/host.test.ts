import { describe, expect, it, vi } from 'vitest';
import type { Engine, Model } from '../engine/engine.ts';
import type { Checkpoint, StripSink, UpscaleOptions, UpscaleReport } from '../engine/types.ts';
import { CrispenError, type ErrorCode } from '../errors.ts';
import { createNetwork } from '../networks/registry.ts';
import { EngineHost, type LoadModel } from './host.ts';

const network = createNetwork('a2n', { scale: 2 });

/**
 * Creates a fake engine with some of the methods that the host calls. A real engine needs a GPU.
 */
function fakeEngine() {
  let lose!: (reason: string) => void;
  const lost = new Promise<string>((resolve) => {
    lose = resolve;
  });
  const engine = {
    lost,
    prepare: vi.fn(async () => {}),
    loadModel: vi.fn(async () => ({}) as Model),
    destroy: vi.fn(() => lose('destroyed')),
  };
  return { engine: engine as unknown as Engine, calls: engine, lose };
}

function hostOf(fakes: ReturnType<typeof fakeEngine>[]) {
  const create = vi.fn(async () => fakes[create.mock.calls.length - 1].engine);
  return { host: new EngineHost(create), create };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

it('makes one engine and loads each model once', async () => {
  const fake = fakeEngine();
  const { host, create } = hostOf([fake]);
  expect(host.loaded('m')).toBeUndefined();
  const models = await Promise.all([1, 2].map(() => host.model('m', network, new Map())));
  expect(models[0]).toBe(models[1]);
  expect(host.loaded('m')).toBeDefined();
  await host.use(async () => 0);
  expect(create).toHaveBeenCalledTimes(1);
  expect(fake.calls.loadModel).toHaveBeenCalledTimes(1);
});

it('starts anew after the device was lost between two images', async () => {
  const fakes = [fakeEngine(), fakeEngine()];
  const { host } = hostOf(fakes);
  await host.model('m', network, new Map());
  fakes[0].lose('driver reset');
  await settled();
  expect(host.loaded('m')).toBeUndefined();
  expect(await host.engine()).toBe(fakes[1].engine);
  expect(fakes[0].calls.destroy).toHaveBeenCalledTimes(1);
});

it('starts anew after a job that failed for the lost device, and only then', async () => {
  const fakes = [fakeEngine(), fakeEngine()];
  const { host, create } = hostOf(fakes);
  const fail = (code: 'DEVICE_LOST' | 'OUT_OF_MEMORY') =>
    host.use(() => Promise.reject(new CrispenError(code, 'failed')));
  await expect(fail('OUT_OF_MEMORY')).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  expect(await host.engine()).toBe(fakes[0].engine);
  await expect(fail('DEVICE_LOST')).rejects.toMatchObject({ code: 'DEVICE_LOST' });
  expect(await host.engine()).toBe(fakes[1].engine);
  await settled();
  expect(fakes[0].calls.destroy).toHaveBeenCalledTimes(1);
  expect(create).toHaveBeenCalledTimes(2);
});

it('tries again after a failed start or a failed load', async () => {
  const fake = fakeEngine();
  const create = vi
    .fn<() => Promise<Engine>>()
    .mockRejectedValueOnce(new CrispenError('NO_WEBGPU', 'none'))
    .mockResolvedValue(fake.engine);
  const host = new EngineHost(create);
  await expect(host.engine()).rejects.toMatchObject({ code: 'NO_WEBGPU' });
  await settled();
  fake.calls.loadModel.mockRejectedValueOnce(new CrispenError('OUT_OF_MEMORY', 'full'));
  await expect(host.model('m', network, new Map())).rejects.toMatchObject({
    code: 'OUT_OF_MEMORY',
  });
  await settled();
  expect(host.loaded('m')).toBeUndefined();
  await host.model('m', network, new Map());
  expect(host.loaded('m')).toBeDefined();
});

it('compiles ahead on the engine that will load, and leaves errors to the loading', async () => {
  const fake = fakeEngine();
  const { host, create } = hostOf([fake]);
  fake.calls.prepare.mockRejectedValueOnce(new CrispenError('INTERNAL', 'no such kernel'));
  host.prepare(network, { precision: 'f16' });
  await settled();
  expect(fake.calls.prepare).toHaveBeenCalledExactlyOnceWith(network, { precision: 'f16' });
  await host.model('m', network, new Map());
  expect(create).toHaveBeenCalledTimes(1);
});

/** Creates a fake engine that can run jobs. Each run calls the next of the given functions. */
function runningEngine(...runs: ((options: UpscaleOptions, sink: StripSink) => Promise<void>)[]) {
  const fake = fakeEngine();
  const seen: UpscaleOptions[] = [];
  const upscaleStrips = vi.fn(
    async (_: Model, __: unknown, options: UpscaleOptions, sink: StripSink) => {
      seen.push(options);
      await runs[seen.length - 1](options, sink);
      return { tiles: 1 } as UpscaleReport;
    },
  );
  const unloadModel = vi.fn(async () => {});
  const abandon = vi.fn((reason: string) => fake.lose(reason));
  Object.assign(fake.calls, { upscaleStrips, unloadModel, abandon });
  return { ...fake, seen, unloadModel, abandon };
}

const failing = (code: ErrorCode) => () => Promise.reject(new CrispenError(code, 'failed'));
const fine = async () => {};
const pixels = { width: 1, height: 1, data: new Uint8ClampedArray(4) };
const inF16 = async () => ({ program: { element: 'f16' } }) as Model;

it('goes on behind the last strip on a new device, in shorter submissions, and says so', async () => {
  const strips: number[] = [];
  const fakes = [
    runningEngine(async ({ checkpoint }, sink) => {
      await sink({ ...pixels, y: 0 });
      (checkpoint as Checkpoint).rows = 1;
      throw new CrispenError('DEVICE_LOST', 'gone');
    }),
    runningEngine(async ({ checkpoint }, sink) => {
      await sink({ ...pixels, y: (checkpoint as Checkpoint).rows });
    }),
  ];
  const { host } = hostOf(fakes);
  const report = await host.upscale('m', inF16, pixels, { submitMs: () => 8 }, ({ y }) => {
    strips.push(y);
  });
  expect(strips).toEqual([0, 1]);
  expect(report.recovered).toEqual(['device-lost']);
  expect(fakes[0].seen[0].submitMs?.()).toBe(8);
  expect(fakes[1].seen[0].submitMs?.()).toBe(2);
});

it('gives up after three losses in a row, and the next job is right', async () => {
  const lost = () => runningEngine(failing('DEVICE_LOST'));
  const { host, create } = hostOf([lost(), lost(), lost(), runningEngine(fine)]);
  const job = () => host.upscale('m', inF16, pixels, {}, () => {});
  await expect(job()).rejects.toMatchObject({ code: 'DEVICE_LOST' });
  expect(create).toHaveBeenCalledTimes(3);
  expect((await job()).recovered).toEqual([]);
});

it('counts losses anew after a strip', async () => {
  const further = () =>
    runningEngine(async ({ checkpoint }) => {
      (checkpoint as Checkpoint).rows++;
      throw new CrispenError('DEVICE_LOST', 'gone');
    });
  const { host } = hostOf([...Array.from({ length: 5 }, further), runningEngine(fine)]);
  const { recovered } = await host.upscale('m', inF16, pixels, {}, () => {});
  expect(recovered).toHaveLength(5);
});

it('computes in f32 what overflows f16, from then on', async () => {
  const fake = runningEngine(failing('NON_FINITE'), fine, fine, fine);
  const { host } = hostOf([fake]);
  const asked: boolean[] = [];
  const load = async (isF32: boolean) => {
    asked.push(isF32);
    return { program: { element: isF32 ? 'f32' : 'f16' } } as Model;
  };
  const run = (id: string) => host.upscale(id, load, pixels, {}, () => {});
  expect((await run('m')).recovered).toEqual(['f16-overflow']);
  expect(asked).toEqual([false, true]);
  asked.length = 0;
  // Later jobs with this model start in f32, but a job with another model starts in f16.
  expect((await run('m')).recovered).toEqual([]);
  await host.load('m', load);
  await run('other');
  expect(asked).toEqual([true, true, false]);
  asked.length = 0;
  // After the model is removed, another model can get the same id, and its values might fit in f16.
  await host.drop('m');
  await host.load('m', load);
  expect(asked).toEqual([false]);
});

describe('a blank result of f16', () => {
  const rows = (y: number, ...colours: number[]) => ({
    width: 1,
    height: colours.length,
    y,
    data: Uint8ClampedArray.from(colours.flatMap((v) => [v, v, v, 255])),
  });
  const image = { ...rows(0, 0, 0, 255, 255), height: 4 };
  /**
   * Returns a fake run. It first checks that the checkpoint has the given number of rows (`from`).
   * Then it outputs `strips` and updates the checkpoint, as the engine does.
   */
  const making =
    (from: number, ...strips: ReturnType<typeof rows>[]) =>
    async ({ checkpoint }: UpscaleOptions, sink: StripSink) => {
      expect(checkpoint?.rows).toBe(from);
      for (const strip of strips) {
        await sink(strip);
        (checkpoint as Checkpoint).rows = strip.y + strip.height;
      }
    };
  const run = async (
    host: EngineHost,
    load: LoadModel = async (isF32) => ({ program: { element: isF32 ? 'f32' : 'f16' } }) as Model,
  ) => {
    const made: number[] = [];
    const { recovered } = await host.upscale('m', load, image, {}, ({ y, data }) => {
      expect(y).toBe(made.length);
      for (let i = 0; i < data.length; i += 4) made.push(data[i]);
    });
    return { made, recovered };
  };

  it('is computed in f32, from the first row on, and so are later jobs', async () => {
    const sound = [rows(0, 1, 2), rows(2, 8, 9)];
    const engine = runningEngine(
      making(0, rows(0, 7, 7), rows(2, 7, 7)),
      making(0, ...sound),
      making(0, ...sound),
    );
    const { host } = hostOf([engine]);
    expect(await run(host)).toEqual({ made: [1, 2, 8, 9], recovered: ['f16-blank'] });
    expect(await run(host)).toEqual({ made: [1, 2, 8, 9], recovered: [] });
  });

  it('is BLANK_RESULT in f32 if nothing else can be made', async () => {
    const { host } = hostOf([runningEngine(failing('BLANK_RESULT'), failing('BLANK_RESULT'))]);
    await expect(run(host)).rejects.toMatchObject({ code: 'BLANK_RESULT' });
  });

  it('is none with rows of another colour, which follow those that were held', async () => {
    const engine = runningEngine(making(0, rows(0, 7, 7), rows(2, 7), rows(3, 8)));
    expect(await run(hostOf([engine]).host)).toEqual({ made: [7, 7, 7, 8], recovered: [] });
  });

  it('is none where the image is nearly of the colour', async () => {
    const engine = runningEngine(making(0, rows(0, 128, 128, 128, 128)));
    const { host } = hostOf([engine]);
    image.data.set([
      120, 120, 120, 255, 130, 130, 130, 255, 128, 128, 128, 255, 125, 125, 125, 255,
    ]);
    expect(await run(host)).toEqual({ made: [128, 128, 128, 128], recovered: [] });
    image.data.set(rows(0, 0, 0, 255, 255).data);
  });

  it('forgets held rows where f16 overflows later, and keeps them over a loss', async () => {
    const strips = [rows(0, 1, 2), rows(2, 8, 9)];
    const overflowing = runningEngine(
      async (options, sink) => {
        await making(0, rows(0, 7, 7))(options, sink);
        throw new CrispenError('NON_FINITE', 'inf');
      },
      making(0, ...strips),
    );
    expect(await run(hostOf([overflowing]).host)).toEqual({
      made: [1, 2, 8, 9],
      recovered: ['f16-overflow'],
    });
    const losing = runningEngine(async (options, sink) => {
      await making(0, rows(0, 7, 7))(options, sink);
      throw new CrispenError('DEVICE_LOST', 'gone');
    });
    const { host } = hostOf([losing, runningEngine(making(2, rows(2, 7, 9)))]);
    expect(await run(host)).toEqual({ made: [7, 7, 7, 9], recovered: ['device-lost'] });
  });

  it('that is drawn is drawn again in f32', async () => {
    const { host } = hostOf([runningEngine()]);
    const elements: string[] = [];
    const { recovered } = await host.run(
      'm',
      async (isF32) => ({ program: { element: isF32 ? 'f32' : 'f16' } }) as Model,
      async (_, { program }) => {
        elements.push(program.element);
        if (program.element === 'f16') throw new CrispenError('BLANK_RESULT', 'black');
        return {} as UpscaleReport;
      },
    );
    expect([elements, recovered]).toEqual([['f16', 'f32'], ['f16-blank']]);
  });
});

it('loads models anew after values that are not finite, and the device after its own fault', async () => {
  const fakes = [runningEngine(), runningEngine()];
  const { host } = hostOf(fakes);
  await host.model('m', network, new Map());
  await expect(host.use(failing('NON_FINITE'))).rejects.toMatchObject({ code: 'NON_FINITE' });
  expect(host.loaded('m')).toBeUndefined();
  expect(fakes[0].unloadModel).toHaveBeenCalledTimes(1);
  expect(await host.engine()).toBe(fakes[0].engine);
  await expect(host.use(failing('INTERNAL'))).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(await host.engine()).toBe(fakes[1].engine);
});

it('passes on what the sink throws, whatever it is, and tries nothing again', async () => {
  const { host, create } = hostOf([
    runningEngine((_, sink) => sink({ ...pixels, y: 0 }) as Promise<void>),
  ]);
  const full = new CrispenError('DEVICE_LOST', 'of the disk');
  const job = host.upscale('m', inF16, pixels, {}, () => Promise.reject(full));
  await expect(job).rejects.toBe(full);
  expect(create).toHaveBeenCalledTimes(1);
});

it('takes the device from a cancelled job that does not end', async () => {
  vi.useFakeTimers();
  try {
    const fake = runningEngine();
    const { host } = hostOf([fake]);
    const abort = new AbortController();
    void host.use(() => new Promise(() => {}), abort.signal);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fake.abandon).not.toHaveBeenCalled();
    abort.abort();
    await vi.advanceTimersByTimeAsync(4999);
    expect(fake.abandon).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(fake.abandon).toHaveBeenCalledTimes(1);
  } finally {
    vi.useRealTimers();
  }
});
