import { CrispenError, nonFinite, throwIfAborted } from '../errors.ts';
import { receptiveField, sizeMultiple, tileOverlap } from '../graph/analysis.ts';
import type { Rgba8Image } from '../image/image.ts';
import type { ElementType } from '../kernels/kernel.ts';
import type { Network } from '../models/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { Device, USAGE } from './device.ts';
import { Arena, planProgram } from './execution.ts';
import { type Fusion, type ImageResources, lower, type Size } from './lower.ts';
import { type Model, uploadModel } from './model.ts';
import { Pace } from './pace.ts';
import { ProgressMeter } from './progress.ts';
import { cutTiles, largestCore, MIN_CORE, type Tile } from './tiler.ts';
import type { PlanarInput } from './trace.ts';
import type {
  AdapterReport,
  RunOptions,
  TracedTensor,
  UpscaleOptions,
  UpscaleResult,
} from './types.ts';
import { bindWeights } from './weights.ts';

export type { Model } from './model.ts';

export interface EngineOptions {
  /** `navigator.gpu`, or what npm `webgpu` makes. */
  readonly gpu: GPU;
  /** Bytes of GPU buffers that one job may hold; default 1 GiB. */
  readonly memoryBudget?: number | undefined;
}

const DEFAULT_BUDGET = 2 ** 30;
/** GPU milliseconds per submission while somebody looks at the page. */
const DEFAULT_SUBMIT_MS = 8;

/** The buffers of a job: those of the network's program and those that outlive its tiles. */
interface Job {
  readonly arena: Arena;
  readonly source: GPUBuffer;
  readonly status: GPUBuffer;
  readonly staging: GPUBuffer;
  readonly bytes: number;
}

/**
 * Runs networks on one GPU device. Free of the DOM: give it a `GPU`, images as bytes in memory, and
 * it works alike in a worker, a page and Node.
 *
 * Jobs on one engine run one after the other, in the order of the calls. An error ends its job
 * alone; after `DEVICE_LOST` the engine is spent and a new one must be made.
 */
export class Engine {
  readonly #device: Device;
  readonly #budget: number;
  readonly #pace = new Pace(() => DEFAULT_SUBMIT_MS);
  #queue: Promise<unknown> = Promise.resolve();
  /** Buffers of the last job, kept for the next of the same model and size. */
  #kept: { model: Model; key: string; job: Job } | null = null;

  private constructor(device: Device, budget: number) {
    this.#device = device;
    this.#budget = budget;
  }

  /** @throws CrispenError `NO_WEBGPU`. */
  static async create({ gpu, memoryBudget = DEFAULT_BUDGET }: EngineOptions): Promise<Engine> {
    return new Engine(await Device.open(gpu), memoryBudget);
  }

  get adapter(): AdapterReport {
    return this.#device.adapter;
  }

  /** Settles, never rejects, with the reason once the device is gone. */
  get lost(): Promise<string> {
    return this.#device.lost;
  }

  /**
   * Uploads a network's weights and compiles its kernels.
   * @param options.fuse default `blocks`; on a software adapter `ops`, since such drivers take most
   * of a minute to compile the large kernels and run them no faster.
   * @param options.precision of feature maps and weights in memory, default f32; sums are f32 always.
   * @throws CrispenError `MODEL_UNSUPPORTED` if weights are missing or misshapen, `OUT_OF_MEMORY`,
   * `DEVICE_LOST`, `INVALID_INPUT` for f16 on a device without it.
   */
  async loadModel(
    network: Network,
    weights: TensorMap,
    options: { readonly fuse?: Fusion; readonly precision?: ElementType } = {},
  ): Promise<Model> {
    const element = this.#element(options.precision);
    const bound = bindWeights(network.graph, weights);
    const program = lower(network.graph, {
      fuse: options.fuse ?? (this.adapter.isFallbackAdapter ? 'ops' : 'blocks'),
      workgroup: this.#device.workgroup,
      element,
      image: { range: network.inputRange },
    });
    return uploadModel(this.#device, network, program, bound);
  }

  /** Frees a model and the buffers kept for it, once the jobs before have ended. */
  unloadModel(model: Model): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#kept?.model === model) this.trim();
      model.weights.destroy();
    });
  }

  /**
   * Upscales an image, in tiles if it would not fit the memory budget whole.
   * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`, `DEVICE_LOST`, `NON_FINITE`, `INVALID_INPUT`.
   */
  upscale(model: Model, image: Rgba8Image, options: UpscaleOptions = {}): Promise<UpscaleResult> {
    return this.#enqueue(() => this.#upscale(model, image, options));
  }

  /**
   * Runs a network whole on a planar f32 input and returns the nodes named in `taps`, unclamped.
   * Fusion (default `blocks`) stops at each tap; the node `output` alone leaves it as it is.
   * @throws CrispenError as `upscale`, and `INVALID_INPUT` for an unknown name.
   */
  trace(
    network: Network,
    weights: TensorMap,
    input: PlanarInput,
    taps: readonly string[],
    options: RunOptions & { readonly fuse?: Fusion; readonly precision?: ElementType } = {},
  ): Promise<Map<string, TracedTensor>> {
    return this.#enqueue(async () => {
      // A chunk of its own: pages never trace.
      const { traceNetwork } = await import('./traceNetwork.ts');
      const precision = this.#element(options.precision);
      const run = { ...options, precision, device: this.#device, pace: this.#pace };
      return traceNetwork(network, weights, input, taps, run);
    });
  }

  /** Frees the buffers kept for the next job. */
  trim(): void {
    if (this.#kept) releaseJob(this.#kept.job);
    this.#kept = null;
  }

  destroy(): void {
    this.trim();
    this.#device.destroy();
  }

  #element(precision: ElementType = 'f32'): ElementType {
    if (precision === 'f16' && !this.#device.hasF16) {
      throw new CrispenError('INVALID_INPUT', 'This device has no f16 arithmetic.', {
        hint: 'Use f32, which every device has.',
      });
    }
    return precision;
  }

  /** Runs jobs one after the other: they share buffers. */
  #enqueue<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(job);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #upscale(model: Model, image: Rgba8Image, options: UpscaleOptions): Promise<UpscaleResult> {
    const { signal, onProgress, tileSize, submitMs = () => DEFAULT_SUBMIT_MS } = options;
    throwIfAborted(signal);
    checkImage(image);
    const started = performance.now();
    const { scale, graph } = model.network;
    const { width, height } = image;
    const { global } = receptiveField(graph);
    const { overlap, approximate } = tileOverlap(graph);
    const multiple = sizeMultiple(graph);
    let core = this.#chooseCore(model, image, overlap, multiple);
    if (tileSize !== undefined) core = Math.min(core, Math.max(1, Math.floor(tileSize)));

    let job: Job;
    let tiles: Tile[];
    let tile: Size;
    for (;;) {
      tiles = cutTiles(width, height, core, overlap, multiple);
      tile = {
        width: Math.max(...tiles.map(({ source }) => source.width)),
        height: Math.max(...tiles.map(({ source }) => source.height)),
      };
      try {
        job = await this.#prepare(model, image, tile);
        break;
      } catch (error) {
        // The device has less room than the budget says: halve the tiles, down to the floor.
        const smaller = Math.floor(Math.min(core, Math.max(width, height)) / 2);
        const refused = error instanceof CrispenError && error.code === 'OUT_OF_MEMORY';
        if (!refused || smaller < MIN_CORE) throw error;
        core = smaller;
      }
    }

    const data = new Uint8ClampedArray(width * scale * height * scale * 4);
    const meter = new ProgressMeter(
      tiles.reduce((sum, { source }) => sum + workOf(model, source), 0),
      onProgress,
    );
    const pace = this.#pace.withTarget(submitMs);
    let dispatches = 0;
    const { queue } = this.#device.gpu;
    const { packed } = imageResources(model);
    queue.writeBuffer(job.source, 0, image.data as Uint8ClampedArray<ArrayBuffer>);
    queue.writeBuffer(job.status, 0, new Uint32Array(1));
    for (const { core: part, source } of tiles) {
      const bytes = part.width * scale * part.height * scale * 4;
      dispatches += await job.arena.run(job.arena.sized({ image, core: part, source }), {
        pace,
        signal,
        onWork: (work) => meter.advance(work),
        finish: (encoder) => {
          encoder.copyBufferToBuffer(job.status, 0, job.staging, 0, 4);
          encoder.copyBufferToBuffer(job.arena.buffer(packed), 0, job.staging, STATUS_BYTES, bytes);
        },
      });
      throwIfAborted(signal);
      const content = await this.#device.read(job.staging, STATUS_BYTES + bytes);
      if (new Uint32Array(content, 0, 1)[0] !== 0) throw nonFinite();
      paste(data, width * scale, new Uint8Array(content, STATUS_BYTES), part, scale);
    }
    this.#pace.learnFrom(pace);
    meter.finish();
    return {
      image: { width: width * scale, height: height * scale, data },
      report: {
        backend: 'webgpu',
        milliseconds: performance.now() - started,
        tiles: tiles.length,
        tileSize: [tile.width, tile.height],
        statistics: global && tiles.length > 1 ? 'per-tile' : 'exact',
        approximate: approximate && tiles.length > 1,
        gpuBytes: job.bytes + model.weights.size,
        dispatches,
      },
    };
  }

  /** The largest core whose tile keeps to the budget and to the limits of bindings. */
  #chooseCore(model: Model, image: Size, overlap: number, multiple: number): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.#device.limits;
    const binding = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    const { scale } = model.network;
    if (image.width * image.height * 4 > binding) {
      throw new CrispenError(
        'IMAGE_TOO_LARGE',
        `The image has ${(image.width * image.height) / 1e6} megapixels, more than this GPU binds.`,
        { hint: `At most ${Math.floor(binding / 4e6)} megapixels fit; reduce the image first.` },
      );
    }
    const up = (size: number) => Math.ceil(size / multiple) * multiple;
    const fits = (w: number, h: number) => {
      const [width, height] = [up(w), up(h)];
      const plan = planProgram(model.program, { width, height }, new Set());
      const packed = width * height * scale ** 2 * 4;
      const total = plan.totalBytes + model.weights.size + packed + image.width * image.height * 4;
      return Math.max(plan.largest, packed) <= binding && total <= this.#budget;
    };
    // Cells cut on either side may make a tile larger than its core and overlap.
    return largestCore(image.width, image.height, overlap + multiple - 1, fits);
  }

  /** The job's buffers, from the last job if it was of the same shape. */
  async #prepare(model: Model, image: Size, tile: Size): Promise<Job> {
    const key = `${image.width}x${image.height}/${tile.width}x${tile.height}`;
    if (this.#kept?.model === model && this.#kept.key === key) return this.#kept.job;
    this.trim();
    const { scale } = model.network;
    const resources = imageResources(model);
    const made: GPUBuffer[] = [];
    try {
      const [source, status, staging] = await this.#device.scoped('allocating the image', () => {
        const make = (label: string, bytes: number, usage: number) => {
          const buffer = this.#device.buffer(label, bytes, usage);
          made.push(buffer);
          return buffer;
        };
        const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = USAGE;
        const outBytes = tile.width * tile.height * scale ** 2 * 4;
        return [
          make('image', image.width * image.height * 4, STORAGE | COPY_DST),
          make('status', 4, STORAGE | COPY_SRC | COPY_DST),
          make('staging', STATUS_BYTES + outBytes, MAP_READ | COPY_DST),
        ];
      });
      const external = new Map([
        [resources.source, source],
        [resources.status, status],
      ]);
      const arena = await Arena.create(this.#device, model, tile, external);
      const bytes = made.reduce((sum, buffer) => sum + buffer.size, arena.bytes);
      const job = { arena, source, status, staging, bytes };
      this.#kept = { model, key, job };
      return job;
    } catch (error) {
      for (const buffer of made) buffer.destroy();
      throw error;
    }
  }
}

/** The status word comes first in the staging buffer, padded so that copies stay aligned. */
const STATUS_BYTES = 16;

function checkImage({ width, height, data }: Rgba8Image): void {
  const sound = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!sound || data.length !== width * height * 4) {
    throw new CrispenError(
      'INVALID_INPUT',
      `An image of ${width} x ${height} cannot have ${data.length} bytes of RGBA.`,
    );
  }
}

function workOf({ program }: Model, { width, height }: Size): number {
  return program.steps.reduce((sum, { work }) => sum + work, 0) * width * height;
}

/** Models for upscaling go from image to image; traces do without. */
function imageResources({ program }: Model): ImageResources {
  if (!program.image) throw new Error('the model was lowered without image conversion');
  return program.image;
}

/** Copies a tile's pixels into the output image. */
function paste(
  output: Uint8ClampedArray,
  outputWidth: number,
  pixels: Uint8Array,
  core: Tile['core'],
  scale: number,
): void {
  const row = core.width * scale * 4;
  for (let y = 0; y < core.height * scale; y++) {
    const at = ((core.y * scale + y) * outputWidth + core.x * scale) * 4;
    output.set(pixels.subarray(y * row, (y + 1) * row), at);
  }
}

function releaseJob(job: Job): void {
  for (const buffer of [job.source, job.status, job.staging]) buffer.destroy();
  job.arena.destroy();
}
