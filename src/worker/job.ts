import type { AutoChoice } from '../catalog/auto.ts';
import { planChain } from '../catalog/chain.ts';
import { checkPixels } from '../codecs/limits.ts';
import type { Carrier } from '../codecs/source.ts';
import type { Engine, Model } from '../engine/engine.ts';
import { enlarge, enlargeWhole, type Pass } from '../engine/pipeline/enlarge.ts';
import type { UpscaleOptions, UpscaleReport } from '../engine/types.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { type Depth, depthOf, type Rgba8Image, type RgbaImage } from '../image/image.ts';
import { isGrey, isOpaque, toRgba8 } from '../image/pixels.ts';
import type { DecodedImage, ImageTags } from '../image/tags.ts';
import { chooseAuto, estimateOnCpu, type Runnable, shipped } from './auto.ts';
import type { CpuHost } from './cpu.ts';
import type { EngineHost, LoadModel } from './host.ts';
import type { ModelLoader } from './modelLoader.ts';
import type { JobProgress } from './progress.ts';
import {
  LONG_MS,
  type Metadata,
  type OutputFormat,
  type SourceFacts,
  type Stage,
  type UpscaleOutput,
  type UpscalePlan,
  type WireDetection,
  type WireSource,
  type WireTarget,
  type WorkerConfig,
} from './protocol.ts';
import { readSource } from './readSource.ts';
import type { TakeStrip } from './result.ts';

/**
 * The GPU time per submission, in milliseconds. While the page is visible, a submission must be
 * shorter than a frame. While the page is hidden, submissions can be longer.
 */
const SUBMIT_MS_VISIBLE = 8;
const SUBMIT_MS_HIDDEN = 50;

/** The services that jobs share. */
export interface JobServices {
  readonly host: EngineHost;
  readonly loader: ModelLoader;
  readonly config: WorkerConfig;
  /** Returns the host that runs networks without a GPU. */
  readonly cpu: () => Promise<CpuHost>;
  /** Whether the page is visible. */
  readonly isVisible: () => boolean;
}

/** Asks the page whether to start a job whose estimated duration is `milliseconds`. */
type Ask = (milliseconds: number) => Promise<boolean>;

/**
 * Finds the GPU adapter and creates a device, because the presence of `navigator.gpu` does not
 * prove that a device can be created.
 * @param isNeeded whether the caller runs networks; with the option `backend: 'webgpu'`, they
 *   cannot run without an adapter
 * @throws CrispenError `NO_WEBGPU` or `INSECURE_CONTEXT` if an adapter is needed and there is none
 */
export async function findAdapter(
  { host, config }: JobServices,
  isNeeded = true,
): Promise<Pick<WireDetection, 'adapter' | 'reason'>> {
  if (config.backend === 'cpu') return { adapter: null, reason: null };
  try {
    return { adapter: (await host.engine()).adapter, reason: null };
  } catch (error) {
    const reason = CrispenError.from(error);
    const isMissing = reason.code === 'NO_WEBGPU' || reason.code === 'INSECURE_CONTEXT';
    if (!isMissing || (isNeeded && config.backend === 'webgpu')) throw reason;
    return { adapter: null, reason: reason.serialize() };
  }
}

export async function detect(services: JobServices): Promise<WireDetection> {
  const found = await findAdapter(services, false);
  const onCpu = !found.adapter && services.config.backend !== 'webgpu';
  return { ...found, cpu: onCpu ? await (await services.cpu()).report() : null };
}

/**
 * Plans the chain of models for an image of this size. Also handles `model: 'auto'`.
 * @throws CrispenError `ABORTED`, and the errors of `planChain`
 */
export async function chosenChain(
  services: JobServices,
  image: Size,
  { wish, scale, auto }: UpscalePlan,
  model: Runnable | null,
  backend: Backend,
  signal?: AbortSignal,
): Promise<{
  readonly size: Size;
  readonly models: readonly Runnable[];
  readonly auto?: AutoChoice;
}> {
  const by = model?.entry ? { shipped: model.id } : { own: model ?? undefined };
  const chain = planChain(services.config.files, image, wish ?? { scale }, by);
  const { size } = chain;
  const models = chain.models.map((found) => ('entry' in found ? found : shipped(found)));
  if (!auto || backend === 'lanczos') return { size, models };
  const onGpu = backend === 'webgpu';
  return { size, ...(await chooseAuto(services, image, models, onGpu, signal)) };
}

/** The fields of a result that has no file. */
const NO_FILE = { image: null, bytes: null, preview: null };

/** Runs the whole job for one image, from the source to the result. */
export async function upscale(
  services: JobServices,
  ask: Ask,
  track: (stages: readonly Stage[]) => JobProgress,
  source: WireSource,
  plan: UpscalePlan,
  target: WireTarget | OffscreenCanvas | null,
  signal: AbortSignal,
): Promise<UpscaleOutput<ImageBitmap | Blob | null>> {
  const { loader, config } = services;
  const model = plan.model === null ? null : await loader.find(plan.model);
  const { adapter, reason } = await findAdapter(services, plan.method !== 'lanczos');
  const backend = plan.method === 'lanczos' ? plan.method : adapter ? 'webgpu' : 'cpu';
  const progress = track(stagesOf(services, backend, plan.wish || plan.auto ? null : model));

  progress.report('decode', 0);
  const decoded = await readPart(source, plan, signal);
  const tags = keptTags(decoded.tags, plan.metadata);
  const canBeWide = depthOf(decoded.image) === 16 && plan.output === 'image/png';
  const depth = plan.depth ?? (canBeWide ? 16 : 8);
  const input = depth === 16 ? decoded.image : toRgba8(decoded.image);
  progress.report('decode', 1);
  const { width, height } = input;
  const planned = await chosenChain(services, input, plan, model, backend, signal);
  const { size, models: chain, auto } = planned;
  // With WebGPU, a PNG is written strip by strip. In other cases, the whole image might have to be
  // in memory.
  if (plan.output !== 'image/png' || backend !== 'webgpu') {
    checkPixels(size.width, size.height, 'The enlarged image');
  }
  throwIfAborted(signal);
  if (backend === 'cpu' && plan.asks) await askFirst(services, ask, input, chain);

  const { tiling } = plan;
  if (tiling.edge && backend === 'lanczos') {
    throw new CrispenError('INVALID_INPUT', 'Only networks have a choice of edges.');
  }
  const options: UpscaleOptions = {
    ...tiling,
    signal,
    onProgress: ({ fraction, remainingMs }) => progress.report('upscale', fraction, remainingMs),
    submitMs: () => (services.isVisible() ? SUBMIT_MS_VISIBLE : SUBMIT_MS_HIDDEN),
  };
  const onGpu = adapter !== null;
  const job: Job = {
    services,
    input,
    size,
    depth,
    chain,
    backend,
    onGpu,
    options,
    progress,
    signal,
  };
  const produce = async (take?: TakeStrip) => {
    const made = await enlargeBy(job, take);
    throwIfAborted(signal);
    progress.report('encode', 0);
    return made;
  };
  const { produced, ...delivered } =
    target instanceof OffscreenCanvas
      ? { ...NO_FILE, produced: await drawResult(job, target, tags, produce) }
      : plan.output === 'bitmap'
        ? await makeBitmap(await produce(), tags)
        : await (await import('./result.ts')).writeResult({
            ...plan,
            output: plan.output,
            input,
            size,
            depth,
            tags,
            target,
            signal,
            produce,
            toBitmap,
            lifeline: config.lifeline,
          });
  progress.report('encode', 1, 0);
  const { passes, networkScale, backend: runner, ...run } = produced.report;
  return {
    ...delivered,
    width: size.width,
    height: size.height,
    inputWidth: width,
    inputHeight: height,
    source: facts(decoded),
    model: passes[0] ?? null,
    passes,
    networkScale,
    backend: passes.length === 0 ? 'lanczos' : runner,
    adapter,
    diagnostics: { ...run, noGpu: reason ? reason.message : null, timings: progress.timings, auto },
  };
}

/** Decodes the source and crops it to the requested region. */
export async function readPart(
  source: WireSource,
  { output, region }: Pick<UpscalePlan, 'output' | 'region'>,
  signal: AbortSignal,
): Promise<DecodedImage> {
  const decoded = await readSource(source, carrierOf(output), signal);
  if (!region) return decoded;
  const { partOf } = await import('./region.ts');
  return { ...decoded, image: partOf(decoded.image, region) };
}

/** @throws CrispenError `ABORTED` if the page declines a long job */
async function askFirst(
  services: JobServices,
  ask: Ask,
  input: RgbaImage,
  chain: readonly Runnable[],
): Promise<void> {
  const milliseconds = await estimateOnCpu(services, input, chain);
  if (milliseconds <= LONG_MS || (await ask(milliseconds))) return;
  throw new CrispenError('ABORTED', 'The upscale was not begun: it would have taken too long.');
}

/**
 * Removes EXIF and XMP, unless `metadata` is `keep`. Colour profiles are always kept, because they
 * define the colours.
 */
export const keptTags = (tags: ImageTags, metadata: Metadata): ImageTags =>
  metadata === 'keep' ? tags : { ...tags, exif: null, xmp: null };

function facts({ image, tags, format, animated, notes }: DecodedImage): SourceFacts {
  const { icc, exif, xmp, colorSpace, grey } = tags;
  return {
    format,
    colorSpace,
    grey,
    animated,
    notes,
    depth: depthOf(image),
    hasProfile: icc !== null,
    hasMetadata: exif !== null || xmp !== null,
  };
}

type Backend = UpscaleOutput['backend'];

type Enlarged = {
  /** Null if the function `take` received the strips one by one. */
  readonly image: RgbaImage | null;
  readonly report: UpscaleReport & Pick<UpscaleOutput, 'passes' | 'networkScale'>;
};

/**
 * Lists a job's stages. A model that is on the GPU needs no `download` or `prepare` stage. `model`
 * is null if no model has been chosen yet.
 */
function stagesOf(
  { host, loader }: JobServices,
  backend: Backend,
  model: Runnable | null,
): Stage[] {
  const stages: Stage[] = ['decode'];
  const onGpu = backend === 'webgpu' && model && host.loaded(model.id) !== undefined;
  if (backend !== 'lanczos' && !onGpu && !(model && loader.hasWeights(model.id))) {
    stages.push('download');
  }
  if (backend === 'webgpu' && !onGpu) stages.push('prepare');
  return [...stages, 'upscale', 'encode'];
}

/** A job whose source has been decoded. */
interface Job {
  readonly services: JobServices;
  readonly input: RgbaImage;
  /** The size of the result. */
  readonly size: Size;
  readonly depth: Depth;
  /** The models, in the order in which they run. */
  readonly chain: readonly Runnable[];
  readonly backend: Backend;
  /** Whether there is a GPU. If so, images are resized on it, even if no network runs. */
  readonly onGpu: boolean;
  readonly options: UpscaleOptions;
  readonly progress: JobProgress;
  readonly signal: AbortSignal;
}

/**
 * Runs the models of a chain. All models are loaded before the first one runs. Without `take`, the
 * strips of the result are collected in one image.
 */
async function enlargeBy(job: Job, take?: TakeStrip): Promise<Enlarged> {
  const { input, size, depth, chain, backend, onGpu, options, progress, signal } = job;
  const { host, loader, cpu } = job.services;
  const passes: Pass[] = [];
  for (const runnable of backend === 'lanczos' ? [] : chain) {
    const { id, scale } = runnable;
    const run =
      backend === 'webgpu'
        ? await passOnGpu(host, id, loading(job, runnable))
        : await (await cpu()).pass(id, () => loader.weights(runnable, progress, signal));
    passes.push({ model: id, scale, run });
  }
  throwIfAborted(signal);
  progress.report('upscale', 0);
  const plan = { size, depth, passes, device: onGpu ? host.device : null };
  if (!take) return enlargeWhole(input, plan, options);
  return { image: null, report: await enlarge(input, plan, options, take) };
}

/**
 * Returns a function that loads a model onto the GPU. The host calls it again after a device loss.
 */
const loading =
  ({ services: { loader }, depth, progress, signal }: Job, runnable: Runnable): LoadModel =>
  async (isF32) => {
    const model = await loader.onGpu(runnable, progress, signal, depth === 16, isF32);
    throwIfAborted(signal);
    return model;
  };

async function passOnGpu(host: EngineHost, id: string, load: LoadModel): Promise<Pass['run']> {
  await host.load(id, load);
  return (image, options, sink) => host.upscale(id, load, image, options, sink);
}

/**
 * Draws the result on a canvas. If the image is opaque and in colour, and a single run at the
 * model's own scale produces the result, the GPU draws it directly. Every other result is computed
 * as an image first.
 */
async function drawResult(
  job: Job,
  canvas: OffscreenCanvas,
  tags: ImageTags,
  produce: () => Promise<Enlarged>,
): Promise<Enlarged> {
  const { drawOn, paintOn } = await import('./draw.ts');
  const { input, size, depth, chain, backend, options, progress, signal } = job;
  const onto = { canvas, size, tags };
  const [first] = chain;
  const isExact =
    chain.length === 1 &&
    size.width === input.width * first.scale &&
    size.height === input.height * first.scale;
  const isPlain = depth === 8 && isOpaque(input.data) && !isGrey(input.data);
  if (backend === 'webgpu' && isExact && isPlain) {
    const load = loading(job, first);
    // If the device is lost, the texture with the result is lost too, so drawing starts again.
    const draw = async (engine: Engine, model: Model) => {
      progress.report('upscale', 0);
      return drawOn(onto, engine, model, input as Rgba8Image, options);
    };
    const report = await job.services.host.run(first.id, load, draw, signal);
    throwIfAborted(signal);
    progress.report('encode', 0);
    const told = { ...report, passes: [first.id], networkScale: first.scale };
    return { image: null, report: told };
  }
  const produced = await produce();
  if (produced.image) paintOn(onto, produced.image);
  return produced;
}

export function carrierOf(output: OutputFormat): Carrier {
  if (output === 'bitmap') return 'screen';
  return output === 'image/png' ? 'png' : 'profile';
}

async function makeBitmap(produced: Enlarged, tags: ImageTags) {
  const image = await toBitmap(produced.image as Rgba8Image, tags);
  return { ...NO_FILE, image, produced };
}

async function toBitmap(image: Rgba8Image, tags: ImageTags): Promise<ImageBitmap> {
  const { width, height } = image;
  const data = image.data as Uint8ClampedArray<ArrayBuffer>;
  const { colorSpace } = tags;
  try {
    // A preview can have the colour space `other`, which `ImageData` does not support. It is then
    // encoded as a PNG file, which contains the colour profile.
    const source =
      colorSpace === 'other'
        ? await (await import('./result.ts')).encodeImage(image, 'image/png', 1, tags)
        : new ImageData(data, width, height, { colorSpace });
    return await createImageBitmap(source, { premultiplyAlpha: 'none' });
  } catch (cause) {
    throw new CrispenError('OUT_OF_MEMORY', `No bitmap of ${width} x ${height} could be made.`, {
      hint: 'Ask for image/png.',
      cause,
    });
  }
}
