/**
 * The worker: everything but the page's own few lines runs here, so that the page never stalls.
 * Exposes `WorkerApi` through comlink.
 */
import { expose, transfer } from 'comlink';
import type { ModelFile } from '../catalog/files.ts';
import { shippedNetwork } from '../catalog/network.ts';
import { decodeImage } from '../codecs/decode.ts';
import { checkPixels } from '../codecs/limits.ts';
import type { Carrier } from '../codecs/source.ts';
import { Engine, type Model } from '../engine/engine.ts';
import { choosePrecision } from '../engine/tune/precision.ts';
import type { Tuning } from '../engine/tune/tuning.ts';
import type { AdapterReport, UpscaleOptions, UpscaleReport } from '../engine/types.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import { depthOf, type Rgba8Image, type RgbaImage } from '../image/image.ts';
import { isOpaque, toRgba8 } from '../image/pixels.ts';
import type { DecodedImage, ImageTags } from '../image/tags.ts';
import type { Network } from '../networks/network.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { Way } from './beyond.ts';
import { EngineHost } from './host.ts';
import { loadWeightFile, type WeightPlatform } from './models.ts';
import { JobProgress } from './progress.ts';
import {
  ADDED_PREFIX,
  type Metadata,
  type OutputFormat,
  type ProgressEvent,
  type Result,
  type SourceFacts,
  type Stage,
  type Tiling,
  type UpscaleOutput,
  type UpscalePlan,
  type UpscaleTarget,
  type WireDetection,
  type WireSource,
  type WorkerApi,
  type WorkerConfig,
} from './protocol.ts';
import { JobQueue } from './queue.ts';
import type { TakeStrip } from './result.ts';
import type { ModelStore } from './store.ts';

declare const self: DedicatedWorkerGlobalScope;

/** GPU milliseconds per submission: within a frame while someone looks, longer when no one does. */
const SUBMIT_MS_VISIBLE = 8;
const SUBMIT_MS_HIDDEN = 50;

let config: WorkerConfig;
let visible = true;
const queue = new JobQueue();
const host = new EngineHost(createEngine);
const weightsById = new Map<string, TensorMap>();
/** Opened with the first use of an added model. */
let store: ModelStore | null = null;

/** A shipped or an added model, as far as a job needs to know it before its weights. */
interface Runnable {
  readonly id: string;
  readonly scale: number;
  /** Null: the model was added, and its weights come from the store. */
  readonly entry: ModelFile | null;
}

/** The page has chosen from the same list. @throws CrispenError `MODEL_UNKNOWN` */
async function findRunnable(id: string): Promise<Runnable> {
  if (id.startsWith(ADDED_PREFIX)) {
    const { store } = await loadCheckpoints();
    return { id, scale: (await store.find(id)).scale, entry: null };
  }
  const entry = config.files.find((file) => file.id === id);
  if (!entry) throw new CrispenError('MODEL_UNKNOWN', `There is no model called "${id}".`);
  return { id, scale: entry.scale, entry };
}

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
    if (newConfig.lifeline !== null) await holdLock(newConfig.lifeline);
  },

  detect: () => answer(detect),

  preload: (id, model) =>
    answer(() =>
      queue.run(id, async (signal) => {
        const runnable = await findRunnable(model);
        const progress = track(id, ['download', 'prepare']);
        const { adapter } = await detect();
        await (adapter ? loadOnGpu : loadWeights)(runnable, progress, signal);
        progress.report('prepare', 1);
        return null;
      }),
    ),

  async upscale(id, source, plan, target) {
    const result = await answer(() =>
      queue.run(id, (signal) => upscale(id, source, plan, target, signal)),
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
      const model = plan.model === null ? null : await findRunnable(plan.model);
      const { estimateCpu } = await loadBeyond();
      return estimateCpu({ width, height }, plan, model, async ({ id, entry }) =>
        entry ? shippedNetwork(entry) : (await loadAdded(id)).network,
      );
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
        const { sha256 } = weightPlatform();
        const onProgress = (fraction: number) => progress.report('download', fraction);
        const { addModel, store } = await loadCheckpoints();
        return addModel(source, name, options, { store, sha256, signal, onProgress });
      }),
    ),

  models: () => answer(async () => (await loadCheckpoints()).store.list()),

  removeModel: (model) =>
    answer(async () => {
      await (await loadCheckpoints()).store.remove(model);
      await Promise.all([host.drop(model), host.drop(model + WIDE)]);
      return null;
    }),

  exportModel: (model, f16) =>
    answer(async () => {
      const { exportAdded, store } = await loadCheckpoints();
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

/** The adapter by making a device on it: `navigator.gpu` alone proves nothing. */
async function detect(): Promise<WireDetection> {
  try {
    return { adapter: (await host.engine()).adapter, reason: null };
  } catch (error) {
    const reason = CrispenError.from(error);
    if (reason.code !== 'NO_WEBGPU' && reason.code !== 'INSECURE_CONTEXT') throw reason;
    return { adapter: null, reason: reason.serialize() };
  }
}

function track(id: number, stages: readonly Stage[]): JobProgress {
  return new JobProgress(stages, (progress) => {
    self.postMessage({ job: id, progress } satisfies ProgressEvent);
  });
}

// Chunks of their own: most pages need neither.
const loadBeyond = () => import('./beyond.ts');
async function loadCheckpoints() {
  const added = await import('./added.ts');
  store ??= new added.ModelStore(async () => {
    if (!self.isSecureContext) throw new Error('no file system in insecure contexts');
    return navigator.storage.getDirectory();
  });
  return { ...added, store };
}

async function loadAdded(id: string): Promise<{ network: Network; weights: TensorMap }> {
  const { loadAdded: load, store } = await loadCheckpoints();
  const { network, weights } = await load(store, id);
  return { network, weights };
}

async function loadWeights(
  { id: model, entry }: Runnable,
  progress: JobProgress,
  signal: AbortSignal,
): Promise<{ network: Network; weights: TensorMap }> {
  if (!entry) {
    // Read anew when needed, and not kept beside what is on the GPU: such files can be large.
    progress.report('download', 0);
    const loaded = await loadAdded(model);
    progress.report('download', 1);
    return loaded;
  }
  let weights = weightsById.get(entry.id);
  if (!weights) {
    progress.report('download', 0);
    const url = config.packaged[entry.file] ?? new URL(entry.file, config.baseUrl).href;
    const { id, bytes, sha256 } = entry;
    const file = await loadWeightFile({ id, url, bytes, sha256 }, weightPlatform(), {
      signal,
      onProgress: (fraction) => progress.report('download', fraction),
    });
    weights = readSafetensors(file).tensors;
    weightsById.set(entry.id, weights);
  }
  return { network: shippedNetwork(entry), weights };
}

/** The model on the GPU, its kernels compiled while its weights are on their way. */
/** Behind the id of a model that takes 16 bits. */
const WIDE = ':16';

async function loadOnGpu(
  runnable: Runnable,
  progress: JobProgress,
  signal: AbortSignal,
  wide = false,
): Promise<Model> {
  const id = wide ? runnable.id + WIDE : runnable.id;
  const loaded = await host.loaded(id);
  if (loaded) return loaded;
  const { entry } = runnable;
  const { adapter } = await host.engine();
  // Samples of 16 bits are finer than f16.
  const precision = choosePrecision(config.precision, !wide && entry?.f16, adapter);
  const options = { wide, precision };
  if (entry) host.prepare(shippedNetwork(entry), options);
  const { network, weights } = await loadWeights(runnable, progress, signal);
  progress.report('prepare', 0);
  return host.model(id, network, weights, options);
}

function weightPlatform(): WeightPlatform {
  return {
    fetch: (url, init) => fetch(url, init),
    caches: config.cache && self.isSecureContext ? self.caches : undefined,
    sha256: self.isSecureContext ? (bytes) => crypto.subtle.digest('SHA-256', bytes) : undefined,
  };
}

async function upscale(
  id: number,
  source: WireSource,
  plan: UpscalePlan,
  target: UpscaleTarget | OffscreenCanvas | null,
  signal: AbortSignal,
): Promise<UpscaleOutput<ImageBitmap | Blob | null>> {
  const model = plan.model === null ? null : await findRunnable(plan.model);
  const { adapter, reason } = await detect();
  // A resize needs no adapter.
  const needed = plan.fallback === 'error' && plan.method !== 'lanczos';
  if (reason && needed) throw CrispenError.deserialize(reason);
  const maker = adapter || plan.fallback === 'error' ? 'webgpu' : plan.fallback;
  const backend = plan.method === 'lanczos' ? plan.method : maker;
  const progress = track(id, stagesOf(backend, plan.wish ? null : model));

  progress.report('decode', 0);
  const decoded = await readSource(source, carrierOf(plan.output), signal);
  const tags = keptTags(decoded.tags, plan.metadata);
  const canBeWide = depthOf(decoded.image) === 16 && plan.output === 'image/png';
  const depth = plan.depth ?? (canBeWide ? 16 : 8);
  const input = depth === 16 ? decoded.image : toRgba8(decoded.image);
  progress.report('decode', 1);
  const { width, height } = input;
  const { scale, wish } = plan;
  const isPlain =
    !wish && !plan.depth && !plan.method && depth === 8 && !tags.grey && isOpaque(input.data);
  const way: Way<Runnable> = {
    ...{ size: { width: width * scale, height: height * scale }, chain: model ? [model] : [] },
    ...{ depth, backend, isPlain },
    ...(isPlain ? null : (await loadBeyond()).chainFor(input, plan, model)),
  };
  const { size } = way;
  // A PNG is made strip by strip; everything else is held whole.
  if (plan.output !== 'image/png' || backend !== 'webgpu') {
    checkPixels(size.width, size.height, 'The enlarged image');
  }
  throwIfAborted(signal);

  const { tiling } = plan;
  if (tiling.edge && backend === 'lanczos') {
    throw new CrispenError('INVALID_INPUT', 'Edges can be chosen for a network only.');
  }
  const produce = async (take?: TakeStrip, draw?: Draw) => {
    const made = await enlarge(input, way, tiling, progress, signal, take, draw);
    throwIfAborted(signal);
    progress.report('encode', 0);
    return made;
  };
  const { produced, ...delivered } =
    target instanceof OffscreenCanvas
      ? await drawResult(target)
      : plan.output === 'bitmap'
        ? await makeBitmap(await produce(), tags)
        : await (await import('./result.ts')).writeResult({
            ...{ ...plan, output: plan.output, input, size, depth, tags, target, signal },
            ...{ produce, toBitmap, lifeline: config.lifeline },
          });
  progress.report('encode', 1, 0);
  const { passes, networkScale, ...run } = produced.report;
  const { milliseconds, tiles, statistics, approximate, gpuBytes } = run;
  const by = networkScale === 1 && passes.length === 0 ? 'lanczos' : backend;
  const fallback = adapter || backend === plan.method ? null : (plan.fallback as 'cpu' | 'lanczos');

  async function drawResult(canvas: OffscreenCanvas) {
    const { drawOn, paintOn } = await import('./draw.ts');
    const onto = { canvas, size, tags };
    const produced = await produce(undefined, (engine, model, options) =>
      drawOn(onto, engine, model, input as Rgba8Image, options),
    );
    if (produced.image) paintOn(onto, produced.image);
    return { image: null, bytes: null, preview: null, produced };
  }
  return {
    ...delivered,
    ...{ ...size, source: facts(decoded) },
    ...{ inputWidth: width, inputHeight: height, model: passes[0] ?? null, passes, networkScale },
    backend: by,
    ...{ adapter, milliseconds, tiles, statistics, approximate, gpuBytes },
    diagnostics: { ...run, backend: by, fallback, timings: progress.timings },
  };
}

/** Profiles are part of the picture, EXIF and XMP are not. */
const keptTags = (tags: ImageTags, metadata: Metadata): ImageTags =>
  metadata === 'keep' ? tags : { ...tags, exif: null, xmp: null };

function facts({ image, tags, format, animated, notes }: DecodedImage): SourceFacts {
  const { icc, exif, xmp, colorSpace, grey } = tags;
  return {
    ...{ format, colorSpace, grey, animated, notes, depth: depthOf(image) },
    ...{ hasProfile: icc !== null, hasMetadata: exif !== null || xmp !== null },
  };
}

type Backend = UpscaleOutput['backend'];

/** In place of a run whose result comes back. */
type Draw = (engine: Engine, model: Model, options: UpscaleOptions) => Promise<UpscaleReport>;

type Enlarged = {
  /** Null where the strips were taken. */
  readonly image: RgbaImage | null;
  readonly report: UpscaleReport & Pick<UpscaleOutput, 'passes' | 'networkScale'>;
};

/** What is there already needs no stage of its own; null: a model that is not known yet. */
function stagesOf(backend: Backend, model: Runnable | null): Stage[] {
  const stages: Stage[] = ['decode'];
  const onGpu = backend === 'webgpu' && model && host.has(model.id);
  if (backend !== 'lanczos' && !onGpu && !(model && weightsById.has(model.id))) {
    stages.push('download');
  }
  if (backend === 'webgpu' && !onGpu) stages.push('prepare');
  return [...stages, 'upscale', 'encode'];
}

async function enlarge(
  input: RgbaImage,
  way: Way<Runnable>,
  tiling: Tiling,
  progress: JobProgress,
  signal: AbortSignal,
  take?: TakeStrip,
  draw?: Draw,
): Promise<Enlarged> {
  const { chain, backend, isPlain } = way;
  const options: UpscaleOptions = {
    ...tiling,
    signal,
    onProgress: ({ fraction, remainingMs }) => progress.report('upscale', fraction, remainingMs),
    submitMs: () => (visible ? SUBMIT_MS_VISIBLE : SUBMIT_MS_HIDDEN),
  };
  const [first] = chain;
  if (backend === 'webgpu' && isPlain) {
    return host.use(async (engine) => {
      const model = await loadOnGpu(first, progress, signal);
      throwIfAborted(signal);
      progress.report('upscale', 0);
      const told = { passes: [first.id], networkScale: first.scale };
      if (take || draw) {
        const report = await (draw
          ? draw(engine, model, options)
          : engine.upscaleStrips(model, input, options, take as TakeStrip));
        return { image: null, report: { ...report, ...told } };
      }
      const { image, report } = await engine.upscale(model, input as Rgba8Image, options);
      return { image, report: { ...report, ...told } };
    });
  }
  const { enlargeBeyond } = await loadBeyond();
  const services = {
    onCpu: async (runnable: Runnable) => loadWeights(runnable, progress, signal),
    onGpu: (runnable: Runnable, wide: boolean) => loadOnGpu(runnable, progress, signal, wide),
  };
  const { adapter } = await detect();
  if (!adapter) return enlargeBeyond(input, way, null, services, options, take);
  return host.use((engine) => enlargeBeyond(input, way, engine, services, options, take));
}

function carrierOf(output: OutputFormat): Carrier {
  if (output === 'bitmap') return 'screen';
  return output === 'image/png' ? 'png' : 'profile';
}

async function readSource(
  source: WireSource,
  carrier: Carrier,
  signal: AbortSignal,
): Promise<DecodedImage> {
  if (source.kind === 'blob') return decodeImage(source.blob, carrier);
  if (source.kind === 'bitmap') return decodeImage(source.bitmap);
  if (source.kind === 'pixels') return decodeImage(source.image);
  if (source.kind === 'mosaic') {
    return decodeImage((await import('../image/bayer.ts')).demosaicBilinear(source.mosaic));
  }
  return decodeImage(await fetchBlob(source.url, signal), carrier);
}

async function fetchBlob(url: string, signal: AbortSignal): Promise<Blob> {
  const response = await request(url, 'image', signal);
  try {
    return await response.blob();
  } catch (cause) {
    throwIfAborted(signal);
    throw fetchFailed(url, 'image', cause);
  }
}

/** An answer that is one. @throws CrispenError `FETCH_FAILED`, `ABORTED` */
async function request(
  url: string,
  what: 'image' | 'model',
  signal: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    throwIfAborted(signal);
    throw fetchFailed(url, what, cause);
  }
  if (response.ok) return response;
  throw new CrispenError(
    'FETCH_FAILED',
    `The ${what} at ${url} could not be fetched: status ${response.status}.`,
    { hint: 'Check the address.' },
  );
}

function fetchFailed(url: string, what: 'image' | 'model', cause: unknown): CrispenError {
  return new CrispenError('FETCH_FAILED', `The ${what} at ${url} could not be fetched.`, {
    hint: 'Check the address and the connection; another site has to allow it (CORS).',
    cause,
  });
}

async function makeBitmap(produced: Enlarged, tags: ImageTags) {
  const image = produced.image as Rgba8Image;
  return { image: await toBitmap(image, tags), bytes: null, preview: null, produced };
}

async function toBitmap(image: Rgba8Image, tags: ImageTags): Promise<ImageBitmap> {
  const { width, height } = image;
  const data = image.data as Uint8ClampedArray<ArrayBuffer>;
  const { colorSpace } = tags;
  try {
    if (colorSpace === 'other') {
      // A preview, whose colours only a file can tell.
      const { encodeImage } = await import('./result.ts');
      return await createImageBitmap(await encodeImage(image, 'image/png', 1, tags), {
        premultiplyAlpha: 'none',
      });
    }
    return await createImageBitmap(new ImageData(data, width, height, { colorSpace }), {
      premultiplyAlpha: 'none',
    });
  } catch (cause) {
    throw new CrispenError('OUT_OF_MEMORY', `No bitmap of ${width} x ${height} could be made.`, {
      hint: 'Ask for image/png.',
      cause,
    });
  }
}
