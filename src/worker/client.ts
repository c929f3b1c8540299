/// <reference lib="esnext.disposable" preserve="true" />
import { type Remote, transfer } from 'comlink';
import type { OutputType } from '../codecs/encoder.ts';
import type { Precision } from '../engine/precision.ts';
import type { AdapterReport } from '../engine/types.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import { MODEL_FILES } from '../models/files.ts';
import { inlineWorker } from './inline.ts';
import { PACKAGED } from './packaged.ts';
import {
  ADDED_PREFIX,
  type AddedModel,
  type AddOptions,
  type Metadata,
  type Result,
  type UpscaleOutput,
  type UpscaleProgress,
  type UpscaleTarget,
  type WorkerApi,
} from './protocol.ts';
import {
  checkOutputType,
  checkQuality,
  chooseModel,
  type ModelChoice,
  type PlanChoice,
  planUpscale,
} from './request.ts';
import { Session } from './session.ts';
import { copyBitmap, toWireSource, type UpscaleSource } from './source.ts';

export type { Precision } from '../engine/precision.ts';
export { inlineWorker } from './inline.ts';
export {
  type AddedModel,
  type AddOptions,
  CPU_MAX_PIXELS,
  type Diagnostics,
  type Metadata,
  type SourceFacts,
  type UpscaleOutput,
  type UpscaleProgress,
  type UpscaleTarget,
} from './protocol.ts';
export type { UpscaleSource } from './source.ts';

export interface UpscalerOptions {
  /**
   * Folder of the weight files, resolved against the document. Default: beside the library, where the
   * package has those of `a2n-photo-x2`.
   */
  readonly baseUrl?: string | URL;
  /** Makes the worker; for bundlers with special needs. See `inlineWorker` for other sites. */
  readonly worker?: () => Worker;
  /** Keep weights in the Cache API; default true. */
  readonly cache?: boolean;
  /** Bytes of GPU memory. */
  readonly memoryBudget?: number;
  /**
   * Of maps and weights in GPU memory. Default `auto`: f16 for shipped models that keep 99.9 % of the
   * values within 1/255 of f32 by it, for images of 8 bits, on a GPU that has `shader-f16`, else f32.
   * With `f16` jobs end with `INVALID_INPUT` where there is none.
   */
  readonly precision?: Precision;
  /**
   * Measure on the first use which kernels are the fastest on this adapter, which takes some seconds,
   * and keep the result in the Cache API (unless `cache` is false). Default false: a table of families of
   * adapters decides.
   */
  readonly tune?: boolean;
}

/** Whether this browser on this machine offers WebGPU. */
export interface Detection {
  readonly backend: 'webgpu' | 'none';
  readonly adapter: AdapterReport | null;
  /** `NO_WEBGPU` or `INSECURE_CONTEXT`, with a hint for people; null with an adapter. */
  readonly reason: CrispenError | null;
}

export interface JobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: UpscaleProgress) => void) | undefined;
}

export interface EncodeOptions {
  readonly type: OutputType;
  readonly quality?: number | undefined;
  readonly metadata?: Metadata | undefined;
}

export interface UpscaleRequest extends PlanChoice, JobOptions {}

/** What can be asked of a result that is drawn. */
export type DrawRequest = Omit<
  UpscaleRequest,
  'to' | 'output' | 'preview' | 'quality' | 'metadata' | 'depth'
>;

export interface Upscaler {
  /** Tests the adapter, not only `navigator.gpu`. */
  detect(): Promise<Detection>;
  /** Downloads a model and puts it on the GPU, so that the first image need not wait for it. */
  preload(model: string, options?: JobOptions): Promise<void>;
  /**
   * Enlarges one image; jobs run one after the other in the order of their arrival in the worker.
   *
   * @throws CrispenError, every code but `INTERNAL` foreseen: `INVALID_INPUT`, `MODEL_UNKNOWN`,
   * `CROSS_ORIGIN`, `FETCH_FAILED`, `DECODE_FAILED`, `IMAGE_TOO_LARGE`, `NO_WEBGPU`,
   * `INSECURE_CONTEXT`, `MODEL_CORRUPT`, `DEVICE_LOST`, `OUT_OF_MEMORY`, `NON_FINITE`,
   * `ENCODE_FAILED`, `WRITE_FAILED`, `WORKER_FAILED`, `ABORTED`. After any of them the next image
   * works, and where the result was to go nothing is left of it: a file that was empty is removed.
   */
  upscale(
    source: UpscaleSource,
    request: UpscaleRequest & { readonly to: UpscaleTarget },
  ): Promise<UpscaleOutput<null>>;
  upscale(source: UpscaleSource, request?: UpscaleRequest): Promise<UpscaleOutput>;
  /**
   * As `upscale`, but draws the result on a canvas and sets its size. The result of an opaque colour
   * image at the model's own scale stays on the GPU: nothing is read back, and the finished picture
   * appears at once. Others (alpha, grey, another size, a fallback) are read back and painted. The page
   * learns the canvas's size with its next frame.
   *
   * The canvas is the worker's from then on, also after an error: it must be new, one that nobody has
   * asked for a context, and takes one result. It shows that as long as the upscaler is there.
   *
   * @throws CrispenError as `upscale`; `INVALID_INPUT` for a canvas that is not new, `IMAGE_TOO_LARGE`
   * for results of more pixels on a side than a texture of the device may have (8192)
   */
  upscaleTo(
    canvas: HTMLCanvasElement | OffscreenCanvas,
    source: UpscaleSource,
    request?: DrawRequest,
  ): Promise<UpscaleOutput<null>>;
  /**
   * Milliseconds that the CPU path would take for an LR image of this size, measured here: all
   * networks that the request runs, one after the other.
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`
   */
  estimateCpu(width: number, height: number, request?: PlanChoice): Promise<number>;
  /**
   * Takes a weight file (.pth, .pt, .ckpt, .safetensors), by itself or by its address: finds out which
   * network it belongs to, at which scale, and stores it with the page's origin. Its `id` then serves
   * as `model`. `options.name` is the file's name, from which some scales are told; a `File` and an
   * address have their own.
   *
   * @throws CrispenError `MODEL_UNSUPPORTED` for other networks and where a scale is needed,
   * `MODEL_CORRUPT`, `FETCH_FAILED`, `ABORTED`.
   */
  addModel(
    file: Blob | string | URL,
    options?: AddOptions & JobOptions & { readonly name?: string },
  ): Promise<AddedModel>;
  /** The models that were added, the oldest first. */
  models(): Promise<AddedModel[]>;
  /** Removes an added model; no effect for an id that there is not. */
  removeModel(id: string): Promise<void>;
  /**
   * An added model's tensors as a safetensors file.
   * @throws CrispenError `MODEL_UNKNOWN`; with `f16` `INVALID_INPUT` for values too large for it.
   */
  exportModel(id: string, options?: { readonly f16?: boolean }): Promise<Blob>;
  /**
   * A bitmap as a file, or a file in another format: it keeps its profile and, in PNG, its 16 bits. The
   * bitmap stays the caller's. JPEG puts white under transparent pixels.
   * @param options.quality 0 to 1 for all but PNG, default 0.92
   * @param options.metadata EXIF and XMP of a file; default `drop`
   */
  encode(image: ImageBitmap | Blob, options: EncodeOptions): Promise<Blob>;
  /** Rejects what is pending with `ABORTED` and ends the worker; the upscaler is of no more use. */
  destroy(): void;
  /** `destroy`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * An upscaler with a worker of its own, which starts at the first call and again after a failure.
 *
 * @throws CrispenError `INVALID_INPUT` for a base URL or a memory budget that is none
 */
export function createUpscaler(options: UpscalerOptions = {}): Upscaler {
  return new WorkerUpscaler(options);
}

class WorkerUpscaler implements Upscaler {
  readonly #options: UpscalerOptions;
  readonly #baseUrl: string;
  readonly #onVisibility = () => this.#session?.setVisible(isVisible());
  #session: Session | null = null;
  #destroyed = false;
  #lastId = 0;

  constructor(options: UpscalerOptions) {
    const { memoryBudget } = options;
    if (memoryBudget !== undefined && !(memoryBudget > 0)) {
      throw new CrispenError('INVALID_INPUT', `A memory budget of ${memoryBudget} bytes.`, {
        hint: 'Give a positive number of bytes, or none.',
      });
    }
    this.#options = options;
    const [packaged] = Object.values(PACKAGED);
    this.#baseUrl = folderUrl(options.baseUrl ?? (packaged ? new URL('.', packaged) : 'models/'));
    document.addEventListener('visibilitychange', this.#onVisibility);
  }

  async detect(): Promise<Detection> {
    const { adapter, reason } = await this.#open().call((remote) => remote.detect());
    return {
      backend: adapter ? 'webgpu' : 'none',
      adapter,
      reason: reason && CrispenError.deserialize(reason),
    };
  }

  async preload(model: string, options: JobOptions = {}): Promise<void> {
    const { id: name } = chooseModel({ model }, await this.#added(model));
    await this.#job(options, (remote, id) => remote.preload(id, name));
  }

  async upscale<Image>(
    image: UpscaleSource,
    request: UpscaleRequest = {},
  ): Promise<UpscaleOutput<Image>> {
    const { to = null } = request;
    // A chunk of its own: most results go back to the page.
    const target = to && (await import('./target.ts'));
    try {
      target?.checkTarget(request);
      return await this.#upscale(image, request, to);
    } catch (error) {
      if (to && !(to instanceof WritableStream)) await target?.removeEmpty(to);
      throw error;
    }
  }

  async upscaleTo(
    canvas: HTMLCanvasElement | OffscreenCanvas,
    image: UpscaleSource,
    request: DrawRequest = {},
  ): Promise<UpscaleOutput<null>> {
    const { takeOver } = await import('./canvas.ts');
    return this.#upscale(image, request, () => takeOver(canvas));
  }

  async #upscale<Image>(
    image: UpscaleSource,
    request: UpscaleRequest,
    target: UpscaleTarget | (() => OffscreenCanvas) | null,
  ): Promise<UpscaleOutput<Image>> {
    const added = await this.#added(request.model);
    const plan = planUpscale(await withTask(request, added, image), added);
    throwIfAborted(request.signal);
    const { source, transfer: owned } = await toWireSource(image);
    const to = typeof target === 'function' ? target() : target;
    if (to instanceof WritableStream || to instanceof OffscreenCanvas) owned.push(to);
    return this.#job(
      request,
      async (remote, id) => {
        const result = await remote.upscale(id, transfer(source, owned), plan, to);
        return result as Result<UpscaleOutput<Image>>;
      },
      ({ image, preview }) => {
        for (const made of [image, preview]) if (made instanceof ImageBitmap) made.close();
      },
      to !== null,
    );
  }

  async estimateCpu(width: number, height: number, request: PlanChoice = {}): Promise<number> {
    const added = await this.#added(request.model);
    const plan = planUpscale(await withTask(request, added), added);
    return this.#open().call((remote) => remote.estimateCpu(plan, width, height));
  }

  async addModel(
    file: Blob | string | URL,
    options: AddOptions & JobOptions & { readonly name?: string } = {},
  ): Promise<AddedModel> {
    const { scale, likelyScale, inputRange, task } = options;
    const source = file instanceof Blob ? file : absoluteUrl(file);
    const name = options.name ?? (file instanceof File ? file.name : fileName(source));
    return this.#job(options, (remote, id) =>
      remote.addModel(id, source, name, { scale, likelyScale, inputRange, task }),
    );
  }

  models(): Promise<AddedModel[]> {
    return this.#open().call((remote) => remote.models());
  }

  async removeModel(id: string): Promise<void> {
    await this.#open().call((remote) => remote.removeModel(id));
  }

  exportModel(id: string, options: { readonly f16?: boolean } = {}): Promise<Blob> {
    return this.#open().call((remote) => remote.exportModel(id, options.f16 ?? false));
  }

  /** What is needed to plan with a model: nothing is asked about shipped ones. */
  async #added(model: string | undefined): Promise<AddedModel[]> {
    return model?.startsWith(ADDED_PREFIX) ? this.models() : [];
  }

  async encode(image: ImageBitmap | Blob, options: EncodeOptions): Promise<Blob> {
    const { metadata = 'drop' } = options;
    const [type, quality] = [checkOutputType(options.type), checkQuality(options.quality)];
    const copy = image instanceof Blob ? image : await copyBitmap(image);
    const owned = copy instanceof Blob ? [] : [copy];
    return this.#open().call((remote) =>
      remote.encode(transfer(copy, owned), type, quality, metadata),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  destroy(): void {
    this.#destroyed = true;
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#session?.end(new CrispenError('ABORTED', 'The upscaler was destroyed.'));
  }

  /**
   * One job with progress and cancellation; `discard` frees a result that comes too late. With
   * `settle` a cancelled job ends no sooner than in the worker, which has cleared up by then.
   */
  async #job<T>(
    { signal, onProgress }: JobOptions,
    send: (remote: Remote<WorkerApi>, id: number) => Promise<Result<T>>,
    discard: (value: T) => void = () => {},
    settle = false,
  ): Promise<T> {
    throwIfAborted(signal);
    const session = this.#open();
    const id = ++this.#lastId;
    if (onProgress) session.listen(id, onProgress);
    let abort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        session.cancel(id);
        reject(new CrispenError('ABORTED', 'The upscale was cancelled.'));
      };
      signal?.addEventListener('abort', abort, { once: true });
    });
    const result = session.call((remote) => send(remote, id));
    try {
      return await Promise.race([result, aborted]);
    } catch (error) {
      const discarded = result.then(discard, () => {});
      if (settle) await discarded;
      throw error;
    } finally {
      session.unlisten(id);
      if (abort) signal?.removeEventListener('abort', abort);
    }
  }

  #open(): Session {
    if (this.#destroyed) {
      throw new CrispenError('INVALID_INPUT', 'This upscaler was destroyed.', {
        hint: 'Create another one.',
      });
    }
    if (this.#session) return this.#session;
    const { baseUrl, cache = true, memoryBudget = null, worker = startWorker } = this.#options;
    const { precision = 'auto', tune = false } = this.#options;
    const config = {
      files: MODEL_FILES,
      ...{ baseUrl: this.#baseUrl, packaged: baseUrl === undefined ? PACKAGED : {} },
      ...{ cache, memoryBudget, precision, tune, visible: isVisible() },
    };
    const session = new Session(make(worker), config, () => {
      if (this.#session === session) this.#session = null;
    });
    this.#session = session;
    return session;
  }
}

/** The request with the model of its task, if it has one. */
async function withTask<R extends ModelChoice>(
  request: R,
  added: AddedModel[],
  source?: UpscaleSource,
): Promise<R> {
  if (request.task === undefined) return request;
  return (await import('./task.ts')).forTask(request, added, source);
}

function startWorker(): Worker {
  // Where a bundler wrote an address of its own machine here, the worker lies with the page.
  const { protocol, origin } = new URL(import.meta.url);
  if (protocol.startsWith('http') && origin !== location.origin) {
    return inlineWorker(import.meta.url.replace(/[^/]*$/, 'worker.js'));
  }
  return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
}

function make(worker: () => Worker): Worker {
  try {
    return worker();
  } catch (cause) {
    throw new CrispenError('WORKER_FAILED', 'The worker could not be started.', {
      hint: 'Its script has to come from the same site and be allowed by the content policy.',
      cause,
    });
  }
}

/** Absolute, with a slash at its end, so that file names can be appended. */
function folderUrl(baseUrl: string | URL): string {
  try {
    const url = new URL(baseUrl, document.baseURI);
    if (!url.pathname.endsWith('/')) url.pathname += '/';
    return url.href;
  } catch (cause) {
    throw new CrispenError('INVALID_INPUT', `"${baseUrl}" is not a URL.`, {
      hint: 'Give the folder of the weight files, such as "models/".',
      cause,
    });
  }
}

function isVisible(): boolean {
  return document.visibilityState === 'visible';
}

/** The last part of an address, empty for bytes that have none. */
function fileName(source: Blob | string): string {
  if (source instanceof Blob) return '';
  const last = new URL(source).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last);
  } catch {
    return last; // a stray percent sign
  }
}

function absoluteUrl(address: string | URL): string {
  try {
    return new URL(address, document.baseURI).href;
  } catch (cause) {
    throw new CrispenError('INVALID_INPUT', `"${address}" is not a URL.`, {
      hint: 'Give a weight file, or the address of one.',
      cause,
    });
  }
}
