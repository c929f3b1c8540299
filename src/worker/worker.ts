/**
 * The entry point of the worker, which does nearly all the work so that the page never blocks. It
 * exposes `WorkerApi` through Comlink.
 */
import { expose, transfer } from 'comlink';
import { decodeImage } from '../codecs/decode.ts';
import type { Port } from '../cpu/tiles.ts';
import { Engine } from '../engine/engine.ts';
import type { Tuning } from '../engine/tune/tuning.ts';
import type { AdapterReport } from '../engine/types.ts';
import { CrispenError } from '../errors.ts';
import { estimateOnCpu } from './auto.ts';
import type { CpuHost } from './cpu.ts';
import { EngineHost } from './host.ts';
import { IdleTask } from './idle.ts';
import {
  carrierOf,
  chosenChain,
  detect,
  findAdapter,
  type JobServices,
  keptTags,
  upscale,
} from './job.ts';
import { ModelLoader } from './modelLoader.ts';
import { JobProgress } from './progress.ts';
import type {
  ProgressEvent,
  QuestionEvent,
  Result,
  Stage,
  ThreadEvent,
  WorkerApi,
  WorkerConfig,
} from './protocol.ts';
import { JobQueue } from './queue.ts';
import type { Measured } from './tuned.ts';

declare const self: DedicatedWorkerGlobalScope;

let config: WorkerConfig;
let visible = true;
const queue = new JobQueue();
const host = new EngineHost(createEngine);

/** The services that jobs use. They are set when the page configures the worker. */
let services: JobServices;

async function createEngine(): Promise<Engine> {
  if (!self.isSecureContext) {
    throw new CrispenError('INSECURE_CONTEXT', 'This page was not loaded over https.', {
      hint: 'Browsers offer WebGPU only to https pages and localhost. Open the page there.',
    });
  }
  if (!navigator.gpu) {
    throw new CrispenError('NO_WEBGPU', 'This browser offers no WebGPU.', {
      hint: 'Use a current Chrome, Edge or Safari, or enable WebGPU in the settings.',
    });
  }
  const { memoryBudget, tune, backend } = config;
  return Engine.create({
    gpu: navigator.gpu,
    software: backend === 'webgpu',
    patience: { isHidden: () => !visible },
    ...(memoryBudget !== null && { memoryBudget }),
    ...(tune !== 'off' && { tuning: (adapter) => tunedHere(adapter, tune) }),
  });
}

/**
 * Finds the tuning for an adapter. With `quick`, software adapters always use the table of adapter
 * families in `engine/tune/tuning.ts`.
 */
async function tunedHere(adapter: AdapterReport, mode: Measured): Promise<Tuning> {
  if (mode === 'quick' && adapter.isFallbackAdapter) {
    return (await import('../engine/tune/tuning.ts')).tuningFor(adapter);
  }
  const { cacheStore, tunedFor } = await import('./tuned.ts');
  return tunedFor(adapter, mode, {
    measure: async (options) => {
      const { tune } = await import('../engine/tune/measure.ts');
      return tune(navigator.gpu, options);
    },
    store: config.cache ? cacheStore(self.caches, location.origin) : undefined,
    userAgent: navigator.userAgent,
  });
}

/** Benchmarks the adapter after the first image, while no job is running. */
const tuning = new IdleTask(async (signal) => {
  const { adapter } = await findAdapter(services, false);
  if (config.tune !== 'quick' || !config.cache || !adapter || adapter.isFallbackAdapter) return;
  const { cacheStore, tuneOnce } = await import('./tuned.ts');
  const { device } = await host.engine();
  const store = cacheStore(self.caches, location.origin);
  await tuneOnce(device, { store, userAgent: navigator.userAgent }, { signal });
});

let cpu: Promise<CpuHost> | null = null;

/** Loads the CPU backend lazily, because it is not needed if there is a GPU. */
function openCpu(): Promise<CpuHost> {
  cpu ??= import('./cpu.ts').then(
    ({ CpuHost }) => new CpuHost(config),
    (error) => {
      cpu = null; // the next job tries again
      throw error;
    },
  );
  return cpu;
}

/** The callbacks of jobs that wait for the page's answer, by job id. */
const asking = new Map<number, (yes: boolean) => void>();

function ask(id: number, milliseconds: number, signal: AbortSignal): Promise<boolean> {
  self.postMessage({ job: id, question: milliseconds } satisfies QuestionEvent);
  return new Promise((resolve) => {
    asking.set(id, resolve);
    signal.addEventListener('abort', () => resolve(false));
  });
}

const api: WorkerApi = {
  async configure(newConfig) {
    config = newConfig;
    visible = newConfig.visible;
    const loader = new ModelLoader(config, host);
    services = { host, config, loader, cpu: openCpu, isVisible: () => visible };
    if (newConfig.lifeline !== null) await holdLock(newConfig.lifeline);
  },

  ping: () => ({ ok: true, value: null }),

  detect: () => answer(() => detect(services)),

  preload: (id, model) =>
    answer(() =>
      queue.run(id, async (signal) => {
        const { loader } = services;
        const runnable = await loader.find(model);
        const progress = track(id, ['download', 'prepare']);
        const { adapter } = await findAdapter(services);
        if (adapter) await host.retry(() => loader.onGpu(runnable, progress, signal), signal);
        else {
          const load = () => loader.weights(runnable, progress, signal);
          await (await openCpu()).pass(runnable.id, load);
        }
        progress.report('prepare', 1);
        return null;
      }),
    ),

  async upscale(id, source, plan, target) {
    const result = await answer(() =>
      tuning.during(() =>
        queue.run(id, (signal) =>
          upscale(
            services,
            (milliseconds) => ask(id, milliseconds, signal),
            (stages) => track(id, stages),
            source,
            plan,
            target,
            signal,
          ),
        ),
      ),
    );
    // Decoding closes the bitmap. If the job ended before it decoded the bitmap, the bitmap must be
    // closed here.
    if (source.kind === 'bitmap') source.bitmap.close();
    // If the job never used the stream, the stream must be aborted here. Otherwise, it is already
    // closed or aborted, and aborting it has no effect.
    if (target instanceof WritableStream) await target.abort().catch(() => {});
    if (target instanceof MessagePort) {
      const { portSink } = await import('./sinks.ts');
      if (!result.ok)
        await portSink(target)
          .abort(result.error.message)
          .catch(() => {});
      target.close();
    }
    const { image, preview } = result.ok ? result.value : {};
    return transfer(
      result,
      [image, preview].filter((value) => value instanceof ImageBitmap),
    );
  },

  async inspect(id, source, plan) {
    // `inspect.ts` is loaded lazily, because few users inspect attention.
    const inspector = import('./inspect.ts');
    const result = await answer(async () => {
      const { inspect } = await inspector;
      return queue.run(id, (signal) =>
        inspect(services, (stages) => track(id, stages), source, plan, signal),
      );
    });
    if (source.kind === 'bitmap') source.bitmap.close();
    return result.ok ? transfer(result, (await inspector).buffersOf(result.value)) : result;
  },

  estimateCpu: (plan, width, height) =>
    answer(async () => {
      const model = plan.model === null ? null : await services.loader.find(plan.model);
      const size = plan.region ?? { width, height };
      const { models } = await chosenChain(services, size, plan, model, 'cpu');
      return estimateOnCpu(services, size, models);
    }),

  encode: (image, type, quality, metadata) =>
    answer(async () => {
      const { image: pixels, tags } = await decodeImage(image, carrierOf(type));
      const { encodeImage } = await import('./result.ts');
      return encodeImage(pixels, type, quality, keptTags(tags, metadata));
    }),

  addModel: (id, file, name, options) =>
    answer(() =>
      queue.run(id, async (signal) => {
        const progress = track(id, ['download']);
        progress.report('download', 0);
        const onProgress = (fraction: number) => progress.report('download', fraction);
        const { addModel, digest, request, store } = await services.loader.added();
        const source = typeof file === 'string' ? await request(file, 'model', signal) : file;
        return addModel(source, name, options, { store, digest, signal, onProgress });
      }),
    ),

  models: () => answer(async () => (await services.loader.added()).store.list()),

  removeModel: (model) =>
    answer(async () => {
      await (await services.loader.added()).store.remove(model);
      await services.loader.drop(model);
      await (await cpu)?.drop(model);
      return null;
    }),

  exportModel: (model, f16) =>
    answer(async () => {
      const { exportAdded, store } = await services.loader.added();
      return exportAdded(store, model, f16);
    }),

  answer(id, yes) {
    asking.get(id)?.(yes);
    asking.delete(id);
  },

  cancel: (id) => queue.cancel(id),

  setVisible(newVisible) {
    visible = newVisible;
  },
};

expose(api);

// This script runs as a thread if it receives a `ThreadEvent`.
self.addEventListener('message', ({ data }: MessageEvent<Partial<ThreadEvent>>) => {
  const { thread } = data;
  if (thread) void import('./cpu.ts').then(({ serveThread }) => serveThread(thread as Port));
});

/** Converts errors to values; see `Result`. */
async function answer<T>(work: () => Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: CrispenError.from(error).serialize() };
  }
}

/** Resolves when the worker holds the lock. The lock is released only when this worker ends. */
function holdLock(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, () => {
        resolve();
        return new Promise(() => {});
      })
      .catch(reject);
  });
}

function track(id: number, stages: readonly Stage[]): JobProgress {
  return new JobProgress(stages, (progress) => {
    self.postMessage({ job: id, progress } satisfies ProgressEvent);
  });
}
