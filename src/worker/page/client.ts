import { type Remote, transfer } from 'comlink';
import { MODEL_FILES } from '../../catalog/files.ts';
import { CrispenError, type SerializedError, throwIfAborted } from '../../errors.ts';
import { checkOptions, checkValue, invalid, shaped, side } from '../../options.ts';
import {
  ADDED_PREFIX,
  type AddedModel,
  type AttentionInspection,
  AUTO,
  type Result,
  type UpscaleOutput,
  type UpscalePlan,
  type UpscaleTarget,
  type WireTarget,
  type WorkerApi,
} from '../protocol.ts';
import { withTrustedWorkers } from '../trusted.ts';
import { inlineWorker } from './inline.ts';
import {
  type AddModelOptions,
  CALLS,
  type DrawRequest,
  type EncodeOptions,
  type ExportOptions,
  type InspectOptions,
  type JobOptions,
  MODEL_ID,
  type ModelChoice,
  type PlanChoice,
  type UpscaleRequest,
  type UpscalerOptions,
} from './options.ts';
import { PACKAGED } from './packaged.ts';
import { absolute, baseAddress, isBlob, isFile, isFileHandle, isStream, isUrl } from './realm.ts';
import { chooseModel, DEFAULT_QUALITY, planUpscale } from './request.ts';
import { WorkerSession } from './session.ts';
import { copyBitmap, toWireSource, type UpscaleSource } from './source.ts';
import type { Detection, Upscaler } from './upscaler.ts';

export type { Precision } from '../../engine/tune/precision.ts';
export {
  type AddedModel,
  type AddOptions,
  type AttentionInspection,
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
  InspectOptions,
  JobOptions,
  UpscaleRequest,
  UpscalerOptions,
} from './options.ts';
export type { UpscaleSource } from './source.ts';
export type { Detection, Upscaler } from './upscaler.ts';

/**
 * Creates an upscaler with its own worker. The worker starts on the first call to one of the
 * upscaler's methods. If the worker fails, the next call starts a new one. This function works in
 * pages and in workers that can start other workers. In Node, use the command line or
 * `crispen/engine`.
 *
 * @throws CrispenError `INVALID_INPUT` for invalid options, `WORKER_FAILED` if web workers are not
 *   available, as in Node
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
  #session: WorkerSession | null = null;
  #destroyed = false;
  #lastId = 0;

  constructor(options: UpscalerOptions) {
    this.#options = options;
    const [packaged] = Object.values(PACKAGED);
    this.#baseUrl = folderUrl(options.baseUrl ?? (packaged ? new URL('.', packaged) : 'models/'));
    if (hasDocument()) document.addEventListener('visibilitychange', this.#onVisibility);
  }

  async detect(): Promise<Detection> {
    const { adapter, reason, cpu } = await this.#call((remote) => remote.detect());
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
      // `target.ts` is loaded lazily, because it is needed only for results that are written to a
      // file or a stream.
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
    const plan = await planned(request, added, image);
    throwIfAborted(request.signal);
    const { source, transfer: owned } = await toWireSource(image);
    const to = typeof target === 'function' ? target() : await sent(target);
    if (to !== null && !isFileHandle(to)) owned.push(to);
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

  async inspect(image: UpscaleSource, options?: InspectOptions): Promise<AttentionInspection> {
    const request = checkOptions('inspect', options, CALLS.inspect);
    const added = await this.#added(request.model);
    const { id: model } = chooseModel(await withTask(request, added, image), added);
    throwIfAborted(request.signal);
    const { source, transfer: owned } = await toWireSource(image);
    const { region = null, maxPixels = 16384 } = request;
    const plan = { model, region, maxPixels };
    return this.#job(request, (remote, id) => remote.inspect(id, transfer(source, owned), plan));
  }

  async estimateCpu(width: number, height: number, options?: PlanChoice): Promise<number> {
    checkValue('The width', width, side());
    checkValue('The height', height, side());
    const request = checkOptions('estimateCpu', options, CALLS.estimateCpu);
    const added = await this.#added(request.model);
    const plan = await planned(request, added);
    return this.#call((remote) => remote.estimateCpu(plan, width, height));
  }

  async addModel(file: Blob | string | URL, options?: AddModelOptions): Promise<AddedModel> {
    const given = checkOptions('addModel', options, CALLS.addModel);
    const { name: givenName, signal, onProgress, ...facts } = given;
    const source = isBlob(file) ? file : weightAddress(file);
    const name = givenName ?? (isFile(file) ? file.name : fileName(source));
    return this.#job({ signal, onProgress }, (remote, id) =>
      remote.addModel(id, source, name, facts),
    );
  }

  async models(): Promise<AddedModel[]> {
    return this.#call((remote) => remote.models());
  }

  async removeModel(id: string): Promise<void> {
    checkValue('The model', id, MODEL_ID);
    await this.#call((remote) => remote.removeModel(id));
  }

  async exportModel(id: string, options?: ExportOptions): Promise<Blob> {
    checkValue('The model', id, MODEL_ID);
    const { f16 = false } = checkOptions('exportModel', options, CALLS.exportModel);
    return this.#call((remote) => remote.exportModel(id, f16));
  }

  /**
   * Returns all added models if `model` is the id of an added model. In all other cases, returns an
   * empty list without calling the worker. The caller looks up the model's scale and task in the
   * list.
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
    return this.#call((remote) => remote.encode(transfer(copy, owned), type, quality, metadata));
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
   * Runs one job that reports its progress and can be cancelled. `discard` frees a result that
   * arrives after the job was cancelled. If `settle` is set, a cancelled job rejects only after the
   * worker has cleaned up.
   */
  async #job<T>(
    { signal, onProgress, confirm }: JobOptions & Pick<UpscaleRequest, 'confirm'>,
    send: (remote: Remote<WorkerApi>, id: number) => Promise<Result<T>>,
    discard: (value: T) => void = () => {},
    settle = false,
  ): Promise<T> {
    throwIfAborted(signal);
    const session = await this.#ready();
    throwIfAborted(signal);
    const id = ++this.#lastId;
    session.listen(id, { onProgress, confirm });
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        session.cancel(id);
        reject(new CrispenError('ABORTED', 'The upscale was cancelled.'));
      };
    });
    signal?.addEventListener('abort', abort, { once: true });
    const result = session.call((remote) => send(remote, id));
    try {
      return await Promise.race([result, aborted]);
    } catch (error) {
      const discarded = result.then(discard, () => {});
      if (settle) await discarded;
      throw error;
    } finally {
      session.unlisten(id);
      signal?.removeEventListener('abort', abort);
    }
  }

  async #call<T>(send: (remote: Remote<WorkerApi>) => Promise<Result<T>>): Promise<T> {
    return (await this.#ready()).call(send);
  }

  /**
   * Returns a session with a live worker. If the previous worker died while it was idle, a new one
   * is started.
   */
  async #ready(): Promise<WorkerSession> {
    const session = this.#open();
    try {
      await session.alive();
      return session;
    } catch (error) {
      if (this.#destroyed) throw error;
      return this.#open();
    }
  }

  #open(): WorkerSession {
    if (this.#destroyed) {
      throw invalid('This upscaler was destroyed.', 'Create another one.');
    }
    if (this.#session) return this.#session;
    const { baseUrl, worker = startWorker, tune = 'quick', ...given } = this.#options;
    const session = new WorkerSession(
      () => make(worker),
      {
        cache: true,
        memoryBudget: null,
        precision: 'auto',
        backend: 'auto',
        threads: null,
        ...given,
        files: MODEL_FILES,
        baseUrl: this.#baseUrl,
        packaged: baseUrl === undefined ? PACKAGED : {},
        tune: typeof tune === 'boolean' ? (tune ? 'full' : 'off') : tune,
        visible: isVisible(),
      },
      () => {
        if (this.#session === session) this.#session = null;
      },
    );
    this.#session = session;
    return session;
  }
}

async function planned(
  request: PlanChoice,
  added: AddedModel[],
  source?: UpscaleSource,
): Promise<UpscalePlan> {
  const plan = planUpscale(await withTask(request, added, source), added);
  return { ...plan, auto: request.model === AUTO };
}

/**
 * Adds the task's model to a request that has a task but no model. If `model` is `auto`, it is
 * first removed from the request, because `auto` is not the id of a model.
 */
async function withTask<R extends ModelChoice>(
  given: R,
  added: AddedModel[],
  source?: UpscaleSource,
): Promise<R> {
  const request = given.model === AUTO ? { ...given, model: undefined } : given;
  if (request.task === undefined) return request;
  return (await import('./task.ts')).forTask(request, added, source);
}

/** Converts a target to an object that can be sent to the worker. */
async function sent(target: UpscaleTarget | null): Promise<WireTarget | null> {
  return isStream(target) ? (await import('./target.ts')).sendable(target) : target;
}

function startWorker(): Worker {
  // During the build, some bundlers replace `import.meta.url` with the module's `file:` URL. In
  // that case, the worker's script is on the page's own site.
  const { protocol, origin } = new URL(import.meta.url);
  if (protocol.startsWith('http') && origin !== location.origin) {
    return inlineWorker(import.meta.url.replace(/[^/]*$/, 'worker.js'));
  }
  return withTrustedWorkers(
    () => new Worker(new URL('../worker.ts', import.meta.url), { type: 'module' }),
  );
}

function make(worker: () => Worker): Worker {
  let made: Worker;
  try {
    made = worker();
  } catch (cause) {
    throw new CrispenError('WORKER_FAILED', 'The worker could not be started.', {
      hint: 'Its script must come from the same site, and the content security policy must allow it: worker-src, and trusted-types crispen.',
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

/** Makes a URL absolute and ends it with a slash, so file names can be appended. */
function folderUrl(baseUrl: string | URL): string {
  const url = absolute(baseUrl, 'Give the folder of the weight files, such as "models/".');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/** Returns whether this script runs in a page rather than in a worker. */
const hasDocument = (): boolean => typeof document !== 'undefined';

const isVisible = (): boolean => !hasDocument() || document.visibilityState === 'visible';

/** Returns the last segment of a URL's path, or an empty string for a Blob, which has no name. */
function fileName(source: Blob | string): string {
  if (typeof source !== 'string') return '';
  const last = new URL(source).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last);
  } catch {
    return last; // the name contains a stray percent sign
  }
}

function weightAddress(file: string | URL): string {
  const hint = 'Give a weight file as a File or Blob, or the address of one.';
  if (file === AUTO) throw invalid(`"${file}" is not a URL.`, hint);
  if (typeof file === 'string' || isUrl(file)) return absolute(file, hint).href;
  throw invalid('This is no weight file.', hint);
}
