/**
 * The worker: everything but the page's own few lines runs here, so that the page never stalls.
 * Exposes `WorkerApi` through comlink.
 */
import { expose, transfer } from 'comlink';
import { decodeImage } from '../codecs/decode.ts';
import { Engine } from '../engine/engine.ts';
import type { Tuning } from '../engine/tune/tuning.ts';
import type { AdapterReport } from '../engine/types.ts';
import { CrispenError } from '../errors.ts';
import { EngineHost } from './host.ts';
import { carrierOf, detect, type JobServices, keptTags, loadBeyond, upscale } from './job.ts';
import { ModelLoader } from './modelLoader.ts';
import { JobProgress } from './progress.ts';
import type { ProgressEvent, Result, Stage, WorkerApi, WorkerConfig } from './protocol.ts';
import { JobQueue } from './queue.ts';
import { request } from './readSource.ts';

declare const self: DedicatedWorkerGlobalScope;

let config: WorkerConfig;
let visible = true;
const queue = new JobQueue();
const host = new EngineHost(createEngine);

/** What jobs need, once the page has configured the worker. */
let services: JobServices;

async function createEngine(): Promise<Engine> {
  if (!self.isSecureContext) {
    throw new CrispenError('INSECURE_CONTEXT', 'This page was not loaded over https.', {
      hint: 'Browsers offer WebGPU to https pages and to localhost only: open the page there.',
    });
  }
  if (!navigator.gpu) {
    throw new CrispenError('NO_WEBGPU', 'This browser offers no WebGPU.', {
      hint: 'Use a current Chrome, Edge or Safari, or switch WebGPU on in the settings.',
    });
  }
  const { memoryBudget, tune } = config;
  return Engine.create({
    gpu: navigator.gpu,
    ...(memoryBudget !== null && { memoryBudget }),
    ...(tune && { tuning: tunedHere }),
  });
}

/** In a chunk of its own: it has all variants with it. */
async function tunedHere(adapter: AdapterReport): Promise<Tuning> {
  const { tune, tunedFor } = await import('./tuned.ts');
  return tunedFor(adapter, {
    measure: (options) => tune(navigator.gpu, options),
    caches: config.cache ? self.caches : undefined,
    origin: location.origin,
    userAgent: navigator.userAgent,
  });
}

const api: WorkerApi = {
  async configure(newConfig) {
    config = newConfig;
    visible = newConfig.visible;
    services = { host, config, loader: new ModelLoader(config, host), isVisible: () => visible };
    if (newConfig.lifeline !== null) await holdLock(newConfig.lifeline);
  },

  detect: () => answer(() => detect(host)),

  preload: (id, model) =>
    answer(() =>
      queue.run(id, async (signal) => {
        const { loader } = services;
        const runnable = await loader.find(model);
        const progress = track(id, ['download', 'prepare']);
        const { adapter } = await detect(host);
        if (adapter) await loader.onGpu(runnable, progress, signal);
        else await loader.weights(runnable, progress, signal);
        progress.report('prepare', 1);
        return null;
      }),
    ),

  async upscale(id, source, plan, target) {
    const result = await answer(() =>
      queue.run(id, (signal) =>
        upscale(services, (stages) => track(id, stages), source, plan, target, signal),
      ),
    );
    // Decoding closes a bitmap; a job that never came so far has to do it here.
    if (source.kind === 'bitmap') source.bitmap.close();
    // Nobody else is left who could; if it was being written, it is closed or aborted already.
    if (target instanceof WritableStream) await target.abort().catch(() => {});
    const { image, preview } = result.ok ? result.value : {};
    return transfer(
      result,
      [image, preview].filter((value) => value instanceof ImageBitmap),
    );
  },

  estimateCpu: (plan, width, height) =>
    answer(async () => {
      const { loader } = services;
      const model = plan.model === null ? null : await loader.find(plan.model);
      const { estimateCpu } = await loadBeyond();
      return estimateCpu({ width, height }, plan, model, (runnable) => loader.network(runnable));
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
        const source = typeof file === 'string' ? await request(file, 'model', signal) : file;
        const { sha256 } = services.loader.platform();
        const onProgress = (fraction: number) => progress.report('download', fraction);
        const { addModel, store } = await services.loader.added();
        return addModel(source, name, options, { store, sha256, signal, onProgress });
      }),
    ),

  models: () => answer(async () => (await services.loader.added()).store.list()),

  removeModel: (model) =>
    answer(async () => {
      await (await services.loader.added()).store.remove(model);
      await services.loader.drop(model);
      return null;
    }),

  exportModel: (model, f16) =>
    answer(async () => {
      const { exportAdded, store } = await services.loader.added();
      return exportAdded(store, model, f16);
    }),

  cancel: (id) => queue.cancel(id),

  setVisible(newVisible) {
    visible = newVisible;
  },
};

expose(api);

/** Errors become values: see `Result`. */
async function answer<T>(work: () => Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: CrispenError.from(error).serialize() };
  }
}

/** Resolves when the lock is held; it is let go only by the end of this worker. */
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
