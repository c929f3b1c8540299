/// <reference lib="esnext.disposable" preserve="true" />
import { type Remote, transfer } from 'comlink';
import { MODEL_FILES } from '../../catalog/files.ts';
import type { AdapterReport } from '../../engine/types.ts';
import { CrispenError, type SerializedError, throwIfAborted } from '../../errors.ts';
import { checkOptions, checkValue, invalid, shaped, side } from '../../options.ts';
import {
  ADDED_PREFIX,
  type AddedModel,
  type CpuReport,
  type Result,
  type UpscaleOutput,
  type UpscaleTarget,
  type WorkerApi,
} from '../protocol.ts';
import { inlineWorker } from './inline.ts';
import {
  type AddModelOptions,
  CALLS,
  type DrawRequest,
  type EncodeOptions,
  type ExportOptions,
  type JobOptions,
  MODEL_ID,
  type ModelChoice,
  type PlanChoice,
  type UpscaleRequest,
  type UpscalerOptions,
} from './options.ts';
import { PACKAGED } from './packaged.ts';
import {
  absolute,
  baseAddress,
  isBlob,
  isFile,
  isFileHandle,
  isOffscreenCanvas,
  isStream,
  isUrl,
} from './realm.ts';
import { chooseModel, DEFAULT_QUALITY, planUpscale } from './request.ts';
import { Session } from './session.ts';
import { copyBitmap, toWireSource, type UpscaleSource } from './source.ts';

export type { Precision } from '../../engine/tune/precision.ts';
export {
  type AddedModel,
  type AddOptions,
  type BackendChoice,
  CPU_MAX_PIXELS,
  type CpuReport,
  type Diagnostics,
  type Metadata,
  type SourceFacts,
  type UpscaleOutput,
  type UpscaleProgress,
  type UpscaleTarget,
} from '../protocol.ts';
export { inlineWorker } from './inline.ts';
export type {
  AddModelOptions,
  DrawRequest,
  EncodeOptions,
  ExportOptions,
  JobOptions,
  UpscaleRequest,
  UpscalerOptions,
} from './options.ts';
export type { UpscaleSource } from './source.ts';

/** How networks run in this browser on this machine. */
export interface Detection {
  /** `none`: the option `backend` is `webgpu`, and there is no adapter. */
  readonly backend: 'webgpu' | 'cpu' | 'none';
  readonly adapter: AdapterReport | null;
  /**
   * Why the GPU is not used: `NO_WEBGPU` or `INSECURE_CONTEXT`, with a hint. Null if it is used, or
   * if `backend` is `cpu`.
   */
  readonly reason: CrispenError | null;
  /**
   * How the CPU runs networks; null if the GPU does. With `loops`, `reason` says why there is no
   * WebAssembly (`NO_WASM`) and what to allow.
   */
  readonly cpu: (CpuReport & { readonly reason: CrispenError | null }) | null;
}

export interface Upscaler {
  /** Tests the adapter, not only `navigator.gpu`. */
  detect(): Promise<Detection>;
  /**
   * Downloads a model and prepares it, so the first image does not wait for it.
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`, `FETCH_FAILED`, `MODEL_CORRUPT`,
   *   `ABORTED`
   */
  preload(model: string, options?: JobOptions): Promise<void>;
  /**
   * Enlarges one image. Jobs run in turn, in the order in which they reach the worker. Options are
   * checked before anything is sent; unknown names are errors.
   *
   * @throws CrispenError with any code except `INTERNAL`: `INVALID_INPUT`, `MODEL_UNKNOWN`,
   *   `CROSS_ORIGIN`, `FETCH_FAILED`, `DECODE_FAILED`, `IMAGE_TOO_LARGE`, `NO_WEBGPU`,
   *   `INSECURE_CONTEXT`, `MODEL_CORRUPT`, `DEVICE_LOST`, `OUT_OF_MEMORY`, `NON_FINITE`,
   *   `ENCODE_FAILED`, `WRITE_FAILED`, `WORKER_FAILED`, `ABORTED`. After any of them, the next
   *   image works, and no part of a result file is left behind: a file that was empty is removed.
   */
  upscale(
    source: UpscaleSource,
    request: UpscaleRequest & { readonly to: UpscaleTarget },
  ): Promise<UpscaleOutput<null>>;
  upscale(source: UpscaleSource, request?: UpscaleRequest): Promise<UpscaleOutput>;
  /**
   * Like `upscale`, but draws the result on a canvas and sets its size. The result of an opaque
   * colour image at the model's own scale stays on the GPU: nothing is read back, and the complete
   * image appears at once. Other results (alpha, grey, another size, the CPU's) are read back and
   * painted. The page sees the canvas's new size in its next frame.
   *
   * The canvas belongs to the worker from then on, also after an error. It must be new, without a
   * context, and takes one result. It shows the result until the upscaler is destroyed.
   *
   * @throws CrispenError like `upscale`; `INVALID_INPUT` for a canvas that is not new,
   *   `IMAGE_TOO_LARGE` for a result whose side exceeds the device's textures (8192)
   */
  upscaleTo(
    canvas: HTMLCanvasElement | OffscreenCanvas,
    source: UpscaleSource,
    request?: DrawRequest,
  ): Promise<UpscaleOutput<null>>;
  /**
   * Milliseconds that the CPU would take for an LR image of this size, measured on this machine:
   * the sum over all networks that the request runs.
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`
   */
  estimateCpu(width: number, height: number, request?: PlanChoice): Promise<number>;
  /**
   * Adds a weight file (.pth, .pt, .ckpt, .safetensors) or the file at a URL: recognises its
   * network and scale, and stores it with the page's origin. Its `id` can then be used as `model`.
   *
   * @throws CrispenError `MODEL_UNSUPPORTED` for other networks and if a scale is needed,
   *   `MODEL_CORRUPT`, `FETCH_FAILED`, `INVALID_INPUT`, `ABORTED`.
   */
  addModel(file: Blob | string | URL, options?: AddModelOptions): Promise<AddedModel>;
  /** The added models, the oldest first. */
  models(): Promise<AddedModel[]>;
  /** Removes an added model; no effect for an unknown id. */
  removeModel(id: string): Promise<void>;
  /**
   * An added model's tensors as a safetensors file.
   * @throws CrispenError `MODEL_UNKNOWN`; with `f16` also `INVALID_INPUT` for values too large for
   *   it.
   */
  exportModel(id: string, options?: ExportOptions): Promise<Blob>;
  /**
   * Encodes a bitmap, or converts a file to another format. The file keeps its profile and, in PNG,
   * its 16 bits. The bitmap stays the caller's. JPEG puts white under transparent pixels.
   * @throws CrispenError `INVALID_INPUT`, `DECODE_FAILED`, `ENCODE_FAILED`
   */
  encode(image: ImageBitmap | Blob, options: EncodeOptions): Promise<Blob>;
  /**
   * Rejects pending calls with `ABORTED` and ends the worker. The upscaler cannot be used again.
   */
  destroy(): void;
  /** `destroy`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Creates an upscaler with its own worker, which starts at the first call and again after a
 * failure. For pages, and for workers that can start workers. In Node, use the command line or
 * `crispen/engine`.
 *
 * @throws CrispenError `INVALID_INPUT` for invalid options, `WORKER_FAILED` without web workers, as
 *   in Node
 */
export function createUpscaler(options: UpscalerOptions = {}): Upscaler {
  if (typeof Worker === 'undefined' || baseAddress() === undefined) {
    throw new CrispenError(
      'WORKER_FAILED',
      'createUpscaler() needs a web page, or a worker that can start workers.',
      {
        hint: 'In Node, use the command line (crispen in.jpg out.png) or crispen/engine. With server-side rendering, call it only in the browser.',
      },
    );
  }
  return new WorkerUpscaler(checkOptions('createUpscaler', options, CALLS.createUpscaler));
}

class WorkerUpscaler implements Upscaler {
  readonly #options: UpscalerOptions;
  readonly #baseUrl: string;
  readonly #onVisibility = () => this.#session?.setVisible(isVisible());
  #session: Session | null = null;
  #destroyed = false;
  #lastId = 0;

  constructor(options: UpscalerOptions) {
    this.#options = options;
    const [packaged] = Object.values(PACKAGED);
    this.#baseUrl = folderUrl(options.baseUrl ?? (packaged ? new URL('.', packaged) : 'models/'));
    if (hasDocument()) document.addEventListener('visibilitychange', this.#onVisibility);
  }

  async detect(): Promise<Detection> {
    const { adapter, reason, cpu } = await this.#open().call((remote) => remote.detect());
    const error = (found: SerializedError | null) => found && CrispenError.deserialize(found);
    return {
      backend: adapter ? 'webgpu' : cpu ? 'cpu' : 'none',
      adapter,
      reason: error(reason),
      cpu: cpu && { ...cpu, reason: error(cpu.reason) },
    };
  }

  async preload(model: string, options?: JobOptions): Promise<void> {
    checkValue('The model', model, MODEL_ID);
    const job = checkOptions('preload', options, CALLS.preload);
    const { id: name } = chooseModel({ model }, await this.#added(model));
    await this.#job(job, (remote, id) => remote.preload(id, name));
  }

  async upscale<Image>(
    image: UpscaleSource,
    options?: UpscaleRequest,
  ): Promise<UpscaleOutput<Image>> {
    try {
      const request = checkOptions('upscale', options, CALLS.upscale);
      return await this.#upscale(image, request, request.to ?? null);
    } catch (error) {
      const to = options?.to;
      // Lazily loaded: most results go back to the page.
      if (isFileHandle(to)) await (await import('./target.ts')).removeEmpty(to);
      throw error;
    }
  }

  async upscaleTo(
    canvas: HTMLCanvasElement | OffscreenCanvas,
    image: UpscaleSource,
    options?: DrawRequest,
  ): Promise<UpscaleOutput<null>> {
    const request = checkOptions('upscaleTo', options, CALLS.upscaleTo);
    const { checkCanvas, takeOver } = await import('./canvas.ts');
    checkCanvas(canvas);
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
    if (isStream(to) || isOffscreenCanvas(to)) owned.push(to);
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

  async estimateCpu(width: number, height: number, options?: PlanChoice): Promise<number> {
    checkValue('The width', width, side());
    checkValue('The height', height, side());
    const request = checkOptions('estimateCpu', options, CALLS.estimateCpu);
    const added = await this.#added(request.model);
    const plan = planUpscale(await withTask(request, added), added);
    return this.#open().call((remote) => remote.estimateCpu(plan, width, height));
  }

  async addModel(file: Blob | string | URL, options?: AddModelOptions): Promise<AddedModel> {
    const given = checkOptions('addModel', options, CALLS.addModel);
    const { scale, likelyScale, inputRange, task } = given;
    const source = isBlob(file) ? file : weightAddress(file);
    const name = given.name ?? (isFile(file) ? file.name : fileName(source));
    return this.#job(given, (remote, id) =>
      remote.addModel(id, source, name, { scale, likelyScale, inputRange, task }),
    );
  }

  async models(): Promise<AddedModel[]> {
    return this.#open().call((remote) => remote.models());
  }

  async removeModel(id: string): Promise<void> {
    checkValue('The model', id, MODEL_ID);
    await this.#open().call((remote) => remote.removeModel(id));
  }

  async exportModel(id: string, options?: ExportOptions): Promise<Blob> {
    checkValue('The model', id, MODEL_ID);
    const { f16 = false } = checkOptions('exportModel', options, CALLS.exportModel);
    return this.#open().call((remote) => remote.exportModel(id, f16));
  }

  /**
   * The information that planning with a model needs. Shipped models need no question to the
   * worker.
   */
  async #added(model: string | undefined): Promise<AddedModel[]> {
    return model?.startsWith(ADDED_PREFIX) ? this.models() : [];
  }

  async encode(image: ImageBitmap | Blob, options: EncodeOptions): Promise<Blob> {
    const given = checkOptions('encode', options, CALLS.encode);
    const { quality = DEFAULT_QUALITY, metadata = 'drop' } = given;
    const type = checkValue('The option type', given.type, CALLS.encode.type);
    const copy = isBlob(image) ? image : await copyBitmap(image);
    const owned = isBlob(copy) ? [] : [copy];
    return this.#open().call((remote) =>
      remote.encode(transfer(copy, owned), type, quality, metadata),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  destroy(): void {
    this.#destroyed = true;
    if (hasDocument()) document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#session?.end(new CrispenError('ABORTED', 'The upscaler was destroyed.'));
  }

  /**
   * One job with progress and cancellation. `discard` frees a result that comes too late. With
   * `settle`, a cancelled job ends when the worker has cleaned up.
   */
  async #job<T>(
    { signal, onProgress, confirm }: JobOptions & Pick<UpscaleRequest, 'confirm'>,
    send: (remote: Remote<WorkerApi>, id: number) => Promise<Result<T>>,
    discard: (value: T) => void = () => {},
    settle = false,
  ): Promise<T> {
    throwIfAborted(signal);
    const session = this.#open();
    const id = ++this.#lastId;
    session.listen(id, { onProgress, confirm });
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
    const { precision = 'auto', tune = false, backend = 'auto', threads = null } = this.#options;
    const config = {
      files: MODEL_FILES,
      ...{ baseUrl: this.#baseUrl, packaged: baseUrl === undefined ? PACKAGED : {} },
      ...{ cache, memoryBudget, precision, tune, backend, threads, visible: isVisible() },
    };
    const session = new Session(
      () => make(worker),
      config,
      () => {
        if (this.#session === session) this.#session = null;
      },
    );
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
  // If a bundler wrote a URL of its own machine here, the worker is next to the page.
  const { protocol, origin } = new URL(import.meta.url);
  if (protocol.startsWith('http') && origin !== location.origin) {
    return inlineWorker(import.meta.url.replace(/[^/]*$/, 'worker.js'));
  }
  return new Worker(new URL('../worker.ts', import.meta.url), { type: 'module' });
}

function make(worker: () => Worker): Worker {
  let made: Worker;
  try {
    made = worker();
  } catch (cause) {
    throw new CrispenError('WORKER_FAILED', 'The worker could not be started.', {
      hint: 'Its script must come from the same site, and the content security policy must allow it.',
      cause,
    });
  }
  return checkValue('What the option worker makes', made, WORKER);
}

const WORKER = shaped('worker', 'a function that returns a Worker, and no promise of one', {
  postMessage: 'function',
  addEventListener: 'function',
  terminate: 'function',
});

/** Absolute and with a slash at the end, so file names can be appended. */
function folderUrl(baseUrl: string | URL): string {
  const url = absolute(baseUrl);
  if (!url) {
    const hint = 'Give the folder of the weight files, such as "models/".';
    throw invalid(`"${baseUrl}" is not a URL.`, hint);
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/** Workers have none. */
const hasDocument = (): boolean => typeof document !== 'undefined';

const isVisible = (): boolean => !hasDocument() || document.visibilityState === 'visible';

/** The last part of a URL; empty for bytes without one. */
function fileName(source: Blob | string): string {
  if (typeof source !== 'string') return '';
  const last = new URL(source).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last);
  } catch {
    return last; // a stray percent sign
  }
}

function weightAddress(file: string | URL): string {
  const url = typeof file === 'string' || isUrl(file) ? absolute(file) : null;
  if (url) return url.href;
  const what = typeof file === 'string' ? `"${file}" is not a URL.` : 'This is no weight file.';
  throw invalid(what, 'Give a weight file as a File or Blob, or the address of one.');
}
