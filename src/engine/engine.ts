import { throwIfAborted } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { paddingOf } from '../graph/analysis.ts';
import { checkImage, type Rgba8Image, type RgbaImage } from '../image/image.ts';
import type { ElementType } from '../kernels/kernel.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { Fusion } from './compile/fuse.ts';
import type { Program } from './compile/program.ts';
import { bindWeights } from './compile/weights.ts';
import { Device } from './gpu/device.ts';
import { compileSteps, type Model, uploadModel } from './gpu/model.ts';
import { Pace } from './gpu/pace.ts';
import type { Patience } from './gpu/watchdog.ts';
import { defaultBudget, type LoweringTarget, lowerFor } from './lowerFor.ts';
import { ProgressMeter } from './progress.ts';
import type { Statistics } from './tile/statistics.ts';
import {
  imageResources,
  type Job,
  largestSource,
  makeJob,
  plannedBytes,
  rest,
  StripRun,
  wholeImage,
  workOf,
} from './tile/strips.ts';
import type { StripPlan, Tiler } from './tile/tiler.ts';
import type { Trunk } from './tile/trunk.ts';
import type { Tuning } from './tune/tuning.ts';
import type {
  AdapterReport,
  StripSink,
  UpscaleOptions,
  UpscaleReport,
  UpscaleResult,
} from './types.ts';

export type { Model } from './gpu/model.ts';

export interface EngineOptions {
  /** `navigator.gpu` in a browser, or an instance from the npm package `webgpu`. */
  readonly gpu: GPU;
  /**
   * How many bytes of GPU buffers one job may allocate. The default is the adapter's largest buffer
   * size, up to 1 GiB, because WebGPU does not report how much memory a GPU has.
   */
  readonly memoryBudget?: number | undefined;
  /** Whether a software adapter is acceptable. The default is true. */
  readonly software?: boolean | undefined;
  /** The limits on how long the GPU may take to respond. */
  readonly patience?: Patience | undefined;
  /**
   * The kernel variants and the fusion level, or a function that chooses them for the adapter. By
   * default, they come from the table of adapter families (engine/tune/tuning.ts).
   */
  readonly tuning?: Tuning | ((adapter: AdapterReport) => Promise<Tuning>) | undefined;
}

/** The default GPU time per submission, in milliseconds. */
const DEFAULT_SUBMIT_MS = 8;

export interface ModelOptions {
  readonly fuse?: Fusion;
  readonly precision?: ElementType;
  readonly wide?: boolean;
}

/** The parts of an engine that `Engine.run` passes to its callback. */
export interface EngineParts extends LoweringTarget {
  readonly pace: Pace;
}

/**
 * Runs networks on one GPU device. It does not use the DOM. It needs only a `GPU` and images as
 * bytes in memory, so it runs in a worker, a page or Node.
 *
 * Jobs on one engine run one after another, in call order. If a job fails, later jobs still run.
 * After `DEVICE_LOST`, however, the engine is unusable, and the caller must create a new one.
 */
export class Engine {
  readonly #device: Device;
  readonly #budget: number;
  readonly #tuning: Tuning;
  readonly #pace: Pace;
  #queue: Promise<unknown> = Promise.resolve();
  /** The buffers of the last job, kept for the next job with the same model and tile size. */
  #kept: { model: Model; key: string; job: Job } | null = null;

  private constructor(device: Device, tuning: Tuning, budget: number) {
    this.#device = device;
    this.#tuning = tuning;
    this.#budget = budget;
    this.#pace = new Pace(() => DEFAULT_SUBMIT_MS, device.adapter.isFallbackAdapter);
  }

  /** @throws CrispenError `NO_WEBGPU`. */
  static async create(options: EngineOptions): Promise<Engine> {
    const { gpu, memoryBudget, software, tuning, patience } = options;
    const [device, { tuningFor }] = await Promise.all([
      Device.open(gpu, { software, ...patience }),
      import('./tune/tuning.ts'),
    ]);
    const choose = typeof tuning === 'object' ? () => tuning : (tuning ?? tuningFor);
    return new Engine(device, await choose(device.adapter), memoryBudget ?? defaultBudget(device));
  }

  /** The default fusion level of `loadModel`. */
  get fusion(): Fusion {
    return this.#tuning.fuse;
  }

  /** The device, for kernels that belong to no network, such as those in pipeline/resize.ts. */
  get device(): Device {
    return this.#device;
  }

  get adapter(): AdapterReport {
    return this.#device.adapter;
  }

  get isLost(): boolean {
    return this.#device.isLost;
  }

  /** Abandons the device. All work that is running on it fails with `DEVICE_LOST`. */
  abandon(reason: string): void {
    this.#device.abandon(reason);
  }

  /** Resolves with the reason when the device is lost. This promise never rejects. */
  get lost(): Promise<string> {
    return this.#device.lost;
  }

  /**
   * Uploads a network's weights and compiles its kernels.
   * @param options.fuse the fusion level. The default comes from the adapter's tuning
   *   (engine/tune/tuning.ts): `ops`, unless another level was measured to be faster.
   * @param options.precision the precision of feature maps and weights in memory. The default is
   *   f32. Sums are always f32.
   * @param options.wide whether input and output images have 16 bits per sample. The default is 8
   *   bits.
   * @throws CrispenError `OUT_OF_MEMORY`, `DEVICE_LOST`, `INTERNAL` or `NON_FINITE`;
   *   `MODEL_UNSUPPORTED` if weights are missing or have the wrong shape; `INVALID_INPUT` if f16 is
   *   requested but the device does not support it.
   */
  async loadModel(
    network: Network,
    weights: TensorMap,
    options: ModelOptions = {},
  ): Promise<Model> {
    const bound = bindWeights(network.graph, weights);
    return uploadModel(this.#device, network, await this.#lower(network, options), bound);
  }

  /**
   * Precompiles the kernels for a later call to `loadModel` with the same options. This does not
   * require the weights, which can still be loading.
   * @throws CrispenError `INTERNAL`, `DEVICE_LOST`, `INVALID_INPUT`
   */
  async prepare(network: Network, options: ModelOptions = {}): Promise<void> {
    await compileSteps(this.#device, await this.#lower(network, options));
  }

  /** Waits for earlier jobs to end, then frees a model and the buffers that are kept for it. */
  unloadModel(model: Model): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#kept?.model.weights === model.weights) this.trim();
      model.weights.destroy();
    });
  }

  /**
   * Upscales an 8-bit image. The image is divided into tiles if the buffers for the whole image
   * would exceed the memory budget, or if a side of the image is longer than `tileSize`.
   * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`, `DEVICE_LOST`, `NON_FINITE`, `INVALID_INPUT`.
   */
  async upscale(
    model: Model,
    image: Rgba8Image,
    options: UpscaleOptions = {},
  ): Promise<UpscaleResult> {
    const { scale } = model.network;
    const [width, height] = [image.width * scale, image.height * scale];
    let data: Uint8ClampedArray | null = null;
    const report = await this.upscaleStrips(model, image, options, (strip) => {
      if (strip.height === height) data = strip.data as Uint8ClampedArray;
      else {
        data ??= new Uint8ClampedArray(width * height * 4);
        data.set(strip.data, strip.y * width * 4);
      }
    });
    return { image: { width, height, data: data ?? new Uint8ClampedArray(0) }, report };
  }

  /**
   * Upscales like `upscale`, but passes finished rows to `sink` strip by strip, from top to bottom,
   * instead of collecting the whole result. A strip is a row of tiles. With 8 bits per sample, it
   * usually takes up at most 128 MiB. If an image is not divided into tiles, its whole result is a
   * single strip, however large. While `sink` processes a strip, the GPU computes one more tile.
   * @throws CrispenError with the same codes as `upscale`. If the sink throws an error, the job
   *   ends and rethrows it.
   */
  upscaleStrips(
    model: Model,
    image: RgbaImage,
    options: UpscaleOptions,
    sink: StripSink,
  ): Promise<UpscaleReport> {
    return this.#enqueue(() => this.#upscale(model, image, options, sink));
  }

  /**
   * Runs other work on the device, such as `trace` in oracle/traceNetwork.ts, after earlier jobs
   * have ended.
   */
  run<T>(work: (parts: EngineParts) => Promise<T>): Promise<T> {
    return this.#enqueue(() => work(this.#parts()));
  }

  /** Frees the buffers that are kept for the next job. */
  trim(): void {
    this.#kept?.job.buffers.destroy();
    this.#kept = null;
  }

  destroy(): void {
    this.trim();
    this.#device.destroy();
  }

  #parts(): EngineParts {
    return {
      device: this.#device,
      pace: this.#pace,
      tuning: this.#tuning,
      memoryBudget: this.#budget,
    };
  }

  #lower(network: Network, { fuse, precision, wide = false }: ModelOptions): Promise<Program> {
    return lowerFor(this.#parts(), network, { fuse, precision, image: { wide } });
  }

  /** Runs a job after all earlier jobs have ended, because jobs share buffers. */
  #enqueue<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(job);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #upscale(
    model: Model,
    image: RgbaImage,
    options: UpscaleOptions,
    sink: StripSink,
  ): Promise<UpscaleReport> {
    const { signal, onProgress, edge = 'zero', tileSize = Number.POSITIVE_INFINITY } = options;
    throwIfAborted(signal);
    checkImage(image, imageResources(model.program).pixelBytes);
    const started = performance.now();
    const { scale, averagedTiles } = model.network;
    const { multiple, border } = paddingOf(model.network.graph);
    const budget = options.memoryBudget ?? this.#budget;
    const loadTiler = async () => {
      const { tilerFor } = await import('./tile/tiler.ts');
      const make = border ? (await import('./tile/bordered.ts')).around(tilerFor) : tilerFor;
      return make(image, model.network, edge);
    };
    const meter = new ProgressMeter(0, onProgress);
    const pace = this.#pace.withTarget(options.submitMs ?? (() => DEFAULT_SUBMIT_MS));
    const paced = { pace, signal, onWork: (work: number) => meter.advance(work) };
    let tiler: Tiler | null = null;
    let trunk: Trunk | null = null;
    let strips: readonly StripPlan[] = [wholeImage(image, multiple)];
    let part = model;
    if (averagedTiles) {
      const { averagedModel, planAveraged } = await import('./tile/averagedModel.ts');
      tiler = await loadTiler();
      strips = planAveraged(model, image, averagedTiles, edge);
      part = await averagedModel(this.#device, model, image, averagedTiles);
    } else if (
      border ||
      edge !== 'zero' ||
      Math.max(image.width, image.height) > tileSize ||
      !this.#fits(model, multiple, budget, 1)(image)
    ) {
      tiler = await loadTiler();
      const side = Math.max(1, Math.floor(tileSize));
      if (tiler.far && edge === 'zero') {
        this.trim();
        trunk = await (await import('./tile/trunk.ts')).runTrunk(this.#device, model, image, {
          ...paced,
          budget,
          side,
          meter,
          fits: (end, left) => this.#fits(end, multiple, left, 2),
        });
      }
      tiler = trunk?.tiler ?? tiler;
      strips = trunk?.strips ?? tiler.plan(side, this.#fits(model, multiple, budget, 2));
      part = trunk?.model ?? model;
    }
    const tile = largestSource(strips);
    const { checkpoint = { rows: 0 } } = options;
    const done = checkpoint.rows / scale;
    // With averaged tiles, a row is the mean of all tiles that cover it. A tile that starts in a
    // finished row must therefore be computed again if it also covers unfinished rows.
    strips = averagedTiles
      ? strips.filter(({ y }) => y + averagedTiles.side > done)
      : rest(strips, done);
    const run = new StripRun(this.#device, image, scale, strips, async (strip) => {
      if (strip.y + strip.height <= checkpoint.rows) return;
      await sink(strip);
      checkpoint.rows = strip.y + strip.height;
    });
    meter.expect(workOf(part.program, strips));
    let statistics: Statistics | null = null;
    let gpuBytes = trunk?.peakBytes ?? 0;
    try {
      while (run.left.length > 0) {
        if (tiler?.pools && !averagedTiles && !statistics) {
          const { planStatistics } = await import('./tile/statistics.ts');
          this.trim();
          const plan = planStatistics(this.#device, model, image, budget, options.statistics);
          meter.expect(plan.work);
          statistics = await plan.gather(paced);
          gpuBytes = Math.max(gpuBytes, statistics.bytes);
        }
        const { model: running, inputs } = statistics ?? { model: part, inputs: [] };
        try {
          const job = await this.#prepare(running, run.left);
          const held = job.buffers.bytes + model.weights.size + (trunk?.bytes ?? 0);
          gpuBytes = Math.max(gpuBytes, held);
          await run.run(job, running, {
            ...paced,
            draw: options.draw,
            inputs,
            fill: trunk?.fill,
            region: (rect) => tiler?.region(rect) ?? image,
          });
        } catch (error) {
          if (!run.refused(error) || averagedTiles) throw error;
          // The GPU ran out of memory, although the tiles fit within the budget. Continue with
          // tiles of half the side length, unless they would be smaller than the minimum.
          tiler ??= await loadTiler();
          const smaller = tiler.halve(run.left);
          if (!smaller) throw error;
          run.left = smaller;
          meter.replan(workOf(part.program, smaller));
        }
      }
    } finally {
      trunk?.destroy();
    }
    this.#pace.learnFrom(pace);
    meter.finish();
    return {
      backend: 'webgpu',
      milliseconds: performance.now() - started,
      tiles: run.tiles,
      tileSize: [tile.width, tile.height],
      statistics: statistics?.kind ?? 'exact',
      approximate: (tiler?.approximate ?? false) && !averagedTiles && run.tiles > 1,
      gpuBytes,
      dispatches: run.dispatches,
      precision: model.program.element,
    };
  }

  /**
   * Returns a function that checks whether a job with tiles of a given size stays within the memory
   * budget and the device's limits on buffer sizes.
   */
  #fits(model: Model, multiple: number, budget: number, stagings: number) {
    return (tile: Size): boolean => {
      const size = wholeImage(tile, multiple).tiles[0].source;
      const { maps, uniforms, largest } = plannedBytes(this.#device, model, size, stagings);
      const total = maps + model.weights.size + Math.max(uniforms, SMALL_BYTES);
      return largest <= this.#device.largestBuffer && total <= budget;
    };
  }

  /**
   * Returns buffers for a job. Reuses the last job's buffers if the model and the tile size are the
   * same.
   */
  async #prepare(model: Model, strips: readonly StripPlan[]): Promise<Job> {
    const tile = largestSource(strips);
    const ahead = strips.length > 1 || strips[0].tiles.length > 1;
    const key = `${tile.width}x${tile.height}${ahead ? '+' : ''}`;
    if (this.#kept?.model === model && this.#kept.key === key) return this.#kept.job;
    this.trim();
    const job = await makeJob(this.#device, model, tile, ahead);
    this.#kept = { model, key, job };
    return job;
  }
}

/**
 * The minimum memory, in bytes, that `#fits` reserves for uniforms and for everything else that
 * does not grow with the tile size.
 */
const SMALL_BYTES = 2 ** 18;
