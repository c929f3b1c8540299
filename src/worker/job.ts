import { checkPixels } from '../codecs/limits.ts';
import type { Carrier } from '../codecs/source.ts';
import type { Engine, Model } from '../engine/engine.ts';
import { WholeImage } from '../engine/pipeline/wholeImage.ts';
import type { UpscaleOptions, UpscaleReport } from '../engine/types.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import { depthOf, type Rgba8Image, type RgbaImage } from '../image/image.ts';
import { isOpaque, toRgba8 } from '../image/pixels.ts';
import type { DecodedImage, ImageTags } from '../image/tags.ts';
import type { Way } from './beyond.ts';
import type { CpuHost } from './cpu.ts';
import type { EngineHost, LoadModel } from './host.ts';
import type { ModelLoader, Runnable } from './modelLoader.ts';
import type { JobProgress } from './progress.ts';
import {
  LONG_MS,
  type Metadata,
  type OutputFormat,
  type SourceFacts,
  type Stage,
  type Tiling,
  type UpscaleOutput,
  type UpscalePlan,
  type UpscaleTarget,
  type WireDetection,
  type WireSource,
  type WorkerConfig,
} from './protocol.ts';
import { readSource } from './readSource.ts';
import type { TakeStrip } from './result.ts';

/**
 * GPU milliseconds per submission: less than a frame while the page is visible, longer while it is
 * hidden.
 */
const SUBMIT_MS_VISIBLE = 8;
const SUBMIT_MS_HIDDEN = 50;

/** Services that jobs share. */
export interface JobServices {
  readonly host: EngineHost;
  readonly loader: ModelLoader;
  readonly config: WorkerConfig;
  /** Runs networks without a GPU. */
  readonly cpu: () => Promise<CpuHost>;
  /** Whether the page is visible. */
  readonly isVisible: () => boolean;
}

/** Asks whether to start a job of this many milliseconds. */
type Ask = (milliseconds: number) => Promise<boolean>;

type Found = Pick<WireDetection, 'adapter' | 'reason'>;

/** Finds the adapter by making a device on it, because `navigator.gpu` alone proves nothing. */
export async function findAdapter({
  host,
  config,
}: Pick<JobServices, 'host' | 'config'>): Promise<Found> {
  if (config.backend === 'cpu') return { adapter: null, reason: null };
  try {
    return { adapter: (await host.engine()).adapter, reason: null };
  } catch (error) {
    const reason = CrispenError.from(error);
    if (reason.code !== 'NO_WEBGPU' && reason.code !== 'INSECURE_CONTEXT') throw reason;
    return { adapter: null, reason: reason.serialize() };
  }
}

export async function detect(services: JobServices): Promise<WireDetection> {
  const found = await findAdapter(services);
  const onCpu = !found.adapter && services.config.backend !== 'webgpu';
  return { ...found, cpu: onCpu ? await (await services.cpu()).report() : null };
}

/** Lazily loaded: most images need only one run of a network. */
export const loadBeyond = () => import('./beyond.ts');

/**
 * One image from source to result.
 */
export async function upscale(
  services: JobServices,
  ask: Ask,
  track: (stages: readonly Stage[]) => JobProgress,
  source: WireSource,
  plan: UpscalePlan,
  target: UpscaleTarget | OffscreenCanvas | null,
  signal: AbortSignal,
): Promise<UpscaleOutput<ImageBitmap | Blob | null>> {
  const { loader, config } = services;
  const model = plan.model === null ? null : await loader.find(plan.model);
  const { adapter, reason } = await findAdapter(services);
  // A resize needs no adapter.
  const needed = config.backend === 'webgpu' && plan.method !== 'lanczos';
  if (reason && needed) throw CrispenError.deserialize(reason);
  const backend = plan.method === 'lanczos' ? plan.method : adapter ? 'webgpu' : 'cpu';
  const progress = track(stagesOf(services, backend, plan.wish ? null : model));

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
  // A PNG is written strip by strip; other formats are held whole.
  if (plan.output !== 'image/png' || backend !== 'webgpu') {
    checkPixels(size.width, size.height, 'The enlarged image');
  }
  throwIfAborted(signal);
  if (backend === 'cpu' && plan.asks) await askFirst(services, ask, input, way);

  const { tiling } = plan;
  if (tiling.edge && backend === 'lanczos') {
    throw new CrispenError('INVALID_INPUT', 'Only networks have a choice of edges.');
  }
  const produce = async (take?: TakeStrip, draw?: Draw) => {
    const made = await enlarge(services, input, way, tiling, progress, signal, take, draw);
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
  const noGpu = reason ? reason.message : null;

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
    diagnostics: { ...run, backend: by, noGpu, timings: progress.timings },
  };
}

/** @throws CrispenError `ABORTED` if the answer to a long job is no */
async function askFirst(
  { loader, cpu }: JobServices,
  ask: Ask,
  input: RgbaImage,
  { chain }: Way<Runnable>,
): Promise<void> {
  const { runsOf } = await loadBeyond();
  const runs = await runsOf(input, chain, (runnable) => loader.network(runnable));
  const milliseconds = await (await cpu()).estimate(runs);
  if (milliseconds <= LONG_MS || (await ask(milliseconds))) return;
  throw new CrispenError('ABORTED', 'The upscale was not begun: it would have taken too long.');
}

/** Profiles are part of the image, EXIF and XMP are not. */
export const keptTags = (tags: ImageTags, metadata: Metadata): ImageTags =>
  metadata === 'keep' ? tags : { ...tags, exif: null, xmp: null };

function facts({ image, tags, format, animated, notes }: DecodedImage): SourceFacts {
  const { icc, exif, xmp, colorSpace, grey } = tags;
  return {
    ...{ format, colorSpace, grey, animated, notes, depth: depthOf(image) },
    ...{ hasProfile: icc !== null, hasMetadata: exif !== null || xmp !== null },
  };
}

type Backend = UpscaleOutput['backend'];

/** Replaces a run whose result is read back. */
type Draw = (engine: Engine, model: Model, options: UpscaleOptions) => Promise<UpscaleReport>;

type Enlarged = {
  /** Null if the strips were taken. */
  readonly image: RgbaImage | null;
  readonly report: UpscaleReport & Pick<UpscaleOutput, 'passes' | 'networkScale'>;
};

/** Loaded models need no stage. Null: a model that is not known yet. */
function stagesOf(
  { host, loader }: JobServices,
  backend: Backend,
  model: Runnable | null,
): Stage[] {
  const stages: Stage[] = ['decode'];
  const onGpu = backend === 'webgpu' && model && host.has(model.id);
  if (backend !== 'lanczos' && !onGpu && !(model && loader.hasWeights(model.id))) {
    stages.push('download');
  }
  if (backend === 'webgpu' && !onGpu) stages.push('prepare');
  return [...stages, 'upscale', 'encode'];
}

async function enlarge(
  jobServices: JobServices,
  input: RgbaImage,
  way: Way<Runnable>,
  tiling: Tiling,
  progress: JobProgress,
  signal: AbortSignal,
  take?: TakeStrip,
  draw?: Draw,
): Promise<Enlarged> {
  const { host, loader, cpu, isVisible } = jobServices;
  const { chain, backend, isPlain } = way;
  const options: UpscaleOptions = {
    ...tiling,
    signal,
    onProgress: ({ fraction, remainingMs }) => progress.report('upscale', fraction, remainingMs),
    submitMs: () => (isVisible() ? SUBMIT_MS_VISIBLE : SUBMIT_MS_HIDDEN),
  };
  const [first] = chain;
  const loading =
    (runnable: Runnable, wide: boolean): LoadModel =>
    async (_, isF32) => {
      const model = await loader.onGpu(runnable, progress, signal, wide, isF32);
      throwIfAborted(signal);
      progress.report('upscale', 0);
      return model;
    };
  if (backend === 'webgpu' && isPlain) {
    const load = loading(first, false);
    const told = { passes: [first.id], networkScale: first.scale };
    if (draw) {
      // What was drawn went with the device: all of it is drawn again.
      const report = await host.retry(async (engine, recovered) => {
        const report = await draw(engine, await load(engine, false), options);
        return { ...report, recovered };
      }, signal);
      return { image: null, report: { ...report, ...told } };
    }
    if (take) {
      const report = await host.upscale(load, input, options, take);
      return { image: null, report: { ...report, ...told } };
    }
    const { width, height } = input;
    const whole = new WholeImage({ width, height, depth: 8 }, first.scale);
    const report = await host.upscale(load, input, options, ({ data }) => whole.add(data));
    return { image: whole.image, report: { ...report, ...told } };
  }
  const { enlargeBeyond } = await loadBeyond();
  const services = {
    onCpu: async (runnable: Runnable) =>
      (await cpu()).pass(runnable.id, () => loader.weights(runnable, progress, signal)),
    onGpu: loading,
  };
  const { adapter } = await findAdapter(jobServices);
  return enlargeBeyond(input, way, adapter && host, services, options, take);
}

export function carrierOf(output: OutputFormat): Carrier {
  if (output === 'bitmap') return 'screen';
  return output === 'image/png' ? 'png' : 'profile';
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
      // A preview. Only a file can express its colours.
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
