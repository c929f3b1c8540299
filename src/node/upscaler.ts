import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { AutoChoice } from '../catalog/auto.ts';
import type { Task } from '../catalog/task.ts';
import { join } from '../codecs/bytes.ts';
import type { Sink } from '../codecs/sink.ts';
import type { Precision } from '../engine/tune/precision.ts';
import type { AdapterReport, Progress } from '../engine/types.ts';
import { throwIfAborted } from '../errors.ts';
import type { SizeWish } from '../image/size.ts';
import { checkOneSize, SIZE_RULES } from '../image/sizeRules.ts';
import { checkOptions, choice, invalid, type Rules, text, whole } from '../options.ts';
import { CALLS } from '../worker/page/options.ts';
import { type Backend, openBackend } from './backend.ts';
import { Enlarger } from './enlarger.ts';
import { decodePicture, formatOf, OUTPUT_FORMATS, type OutputFormat, readBytes } from './images.ts';
import { findOutput, openSink } from './output.ts';

/** The options for the backend and the model. */
export interface NodeUpscalerOptions {
  /**
   * `auto` (default) uses a real GPU if the package `webgpu` is installed and finds one, otherwise
   * the CPU through WebAssembly. `webgpu` also accepts a software adapter.
   */
  readonly backend?: 'auto' | 'webgpu' | 'cpu';
  /**
   * The id of a shipped model. For scales other than the model's own, models of the same family are
   * used. Default: the best photo models. With `auto`, the fast models are used if their weights
   * are available and an estimate says that the best models would take more than 3 s for an image
   * on this machine.
   */
  readonly model?: string;
  /**
   * The path of a weight file. If `model` is also given, the file replaces that model's weights.
   */
  readonly weights?: string;
  /** The number of CPU threads, from 1 to 8; default: one per core, up to 8. */
  readonly threads?: number;
  /** The maximum memory that networks may use for one image, in bytes; default 1 GiB. */
  readonly memoryBudget?: number;
  /**
   * The precision on the GPU. `auto` (default) uses f16 for shipped models whose f16 output is
   * within 1/255 of the f32 output.
   */
  readonly precision?: Precision;
}

/** The options for one image. If no size is given, the model's own scale is used. */
export interface NodeRequest extends SizeWish {
  /**
   * The task. Default: the model's task, or `upscale` if there is no model. All tasks except
   * `upscale` restore the image at its own size.
   */
  readonly task?: Task;
  /** The method; default `network`. `lanczos` resizes without a network. */
  readonly method?: 'network' | 'lanczos';
  /** The path of the result file. If `to` is absent, the result is returned in memory. */
  readonly to?: string;
  /**
   * The file format. By default, it is determined by the extension of `to`. If `to` is absent, the
   * default is PNG.
   */
  readonly format?: OutputFormat;
  /** The quality from 1 to 100 for all formats except PNG; default 92. */
  readonly quality?: number;
  /** Whether EXIF and XMP are kept; default `drop`. This does not affect the colour profile. */
  readonly metadata?: 'keep' | 'drop';
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** Information about how a result was produced. */
export interface NodeInfo {
  /** The size of the result in pixels. */
  readonly width: number;
  readonly height: number;
  readonly format: OutputFormat;
  /** The size of the resulting image file in bytes. */
  readonly bytes: number;
  /** The exact factor by which the image was enlarged. */
  readonly scale: number;
  /** The models, in the order in which they ran. */
  readonly models: readonly string[];
  /** The choice that `model: 'auto'` made, and its estimate; null for any other `model`. */
  readonly auto: AutoChoice | null;
  readonly milliseconds: number;
  readonly backend: 'webgpu' | 'cpu';
  /** The GPU adapter; null if the CPU was used. */
  readonly adapter: AdapterReport | null;
  readonly precision: 'f32' | 'f16';
  /** Whether a network that should process the whole image at once was limited to parts of it. */
  readonly approximate: boolean;
  /** Messages about changes to the image other than the change in size. */
  readonly notes: readonly string[];
  /** Messages about values that the weight file does not contain and that Crispen assumed. */
  readonly assumptions: readonly string[];
}

/** A result in memory. */
export interface NodeResult {
  /** The bytes of the resulting image file. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly info: NodeInfo;
}

/**
 * A path, a `file:` URL, the bytes of a file, a `Blob`, or a stream of bytes. The stream can be a
 * Node stream, a web stream or any other async iterable.
 */
export type NodeSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

const CREATE_RULES: Rules<NodeUpscalerOptions> = {
  backend: CALLS.createUpscaler.backend,
  model: CALLS.upscale.model,
  weights: text('the path of a weight file'),
  threads: CALLS.createUpscaler.threads,
  memoryBudget: CALLS.createUpscaler.memoryBudget,
  precision: CALLS.createUpscaler.precision,
};
const REQUEST_RULES: Rules<NodeRequest> = {
  ...SIZE_RULES,
  task: CALLS.upscale.task,
  method: CALLS.upscale.method,
  to: text('the path of the result'),
  format: choice(OUTPUT_FORMATS),
  quality: whole(1, 100),
  metadata: CALLS.upscale.metadata,
  signal: CALLS.upscale.signal,
  onProgress: CALLS.upscale.onProgress,
};

/**
 * Creates an upscaler in Node. On the CPU, the networks run in the calling thread and in worker
 * threads, which do not keep the process running. The package `sharp` must be installed. To use a
 * GPU, the package `webgpu` must be installed too.
 * @throws CrispenError `INVALID_INPUT`, or `NO_WEBGPU` for `backend: 'webgpu'` if there is no
 *   adapter
 */
export async function createUpscaler(options: NodeUpscalerOptions = {}): Promise<NodeUpscaler> {
  const {
    backend = 'auto',
    threads,
    memoryBudget,
    ...models
  } = checkOptions('createUpscaler', options, CREATE_RULES);
  const device = backend === 'webgpu' ? 'gpu' : backend;
  return new NodeUpscaler(await openBackend(device, { memoryBudget }, threads), models);
}

type Models = Pick<NodeUpscalerOptions, 'model' | 'weights' | 'precision'>;

/** Enlarges images in Node. Calls may overlap, but networks run one at a time. */
export class NodeUpscaler {
  readonly #backend: Backend;
  readonly #enlarger: Enlarger;
  readonly #running = new Set<Promise<unknown>>();
  readonly #ended = new AbortController();

  /** This constructor is internal. Use `createUpscaler` instead. */
  constructor(backend: Backend, models: Models) {
    this.#backend = backend;
    this.#enlarger = new Enlarger(backend, models);
  }

  /** The backend that runs the networks. */
  get backend(): 'webgpu' | 'cpu' {
    return this.#backend.device === 'gpu' ? 'webgpu' : 'cpu';
  }

  /**
   * Enlarges or restores one image.
   * @returns the resulting image file and information about it; if `to` is given, only the
   *   information
   * @throws CrispenError `INVALID_INPUT`, `DECODE_FAILED`, `IMAGE_TOO_LARGE`, `MODEL_UNKNOWN`,
   *   `MODEL_CORRUPT`, `MODEL_UNSUPPORTED`, `ENCODE_FAILED`, `WRITE_FAILED`, `NON_FINITE`,
   *   `OUT_OF_MEMORY`, `DEVICE_LOST`, `ABORTED`
   */
  upscale(
    source: NodeSource,
    request: NodeRequest & { readonly to: string },
  ): Promise<{ readonly info: NodeInfo }>;
  upscale(source: NodeSource, request?: NodeRequest & { readonly to?: never }): Promise<NodeResult>;
  upscale(
    source: NodeSource,
    request?: NodeRequest,
  ): Promise<{ readonly data?: Uint8Array<ArrayBuffer>; readonly info: NodeInfo }>;
  async upscale(
    source: NodeSource,
    request: NodeRequest = {},
  ): Promise<{ readonly data?: Uint8Array<ArrayBuffer>; readonly info: NodeInfo }> {
    const checked = checkOptions('upscale', request, REQUEST_RULES);
    if (this.#ended.signal.aborted) {
      throw invalid('The upscaler was closed.', 'Make another with createUpscaler().');
    }
    const work = this.#upscale(source, checked);
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }

  /** Cancels running work, waits until it has ended, and frees memory and the GPU. */
  async close(): Promise<void> {
    this.#ended.abort();
    await Promise.allSettled(this.#running);
    this.#backend.close();
  }

  async #upscale(source: NodeSource, request: NodeRequest) {
    const { task, method = 'network', to, quality, metadata, onProgress } = request;
    const { scale, width, height, fit } = request;
    checkOneSize({ scale, width, height, fit });
    if (method === 'lanczos' && task !== undefined && task !== 'upscale') {
      throw invalid(`The method lanczos cannot do the task "${task}".`, 'Use the method network.');
    }
    const { signal } = this.#ended;
    const stop = request.signal ? AbortSignal.any([signal, request.signal]) : signal;
    throwIfAborted(stop);
    const path = typeof source === 'string' || source instanceof URL ? pathOf(source) : undefined;
    const output = to === undefined ? null : await findOutput(to, path);
    const format = request.format ?? (output ? formatOf(output) : 'png');
    const name = path ?? 'The image';
    const bytes = path === undefined ? await bytesOf(source, stop) : await readBytes(path);
    const picture = await decodePicture(bytes, name, format);
    throwIfAborted(stop);
    const size = [scale, width, height, fit].some((value) => value !== undefined)
      ? { scale, width, height, fit }
      : null;
    const enlarged = await this.#enlarger.enlarge<Uint8Array<ArrayBuffer> | null>(
      picture,
      async () => (output ? openSink(output, stop) : memorySink()),
      {
        size,
        task,
        method,
        format,
        quality,
        keepsMetadata: metadata === 'keep',
        signal: stop,
        onProgress,
      },
    );
    const { plan, report } = enlarged;
    const info: NodeInfo = {
      width: plan.size.width,
      height: plan.size.height,
      format,
      bytes: enlarged.bytes,
      scale: plan.factor,
      models: report.passes,
      auto: plan.auto,
      milliseconds: report.milliseconds,
      backend: report.backend,
      adapter: this.#backend.adapter,
      precision: report.precision,
      approximate: report.approximate,
      notes: picture.notes,
      assumptions: plan.assumptions,
    };
    return enlarged.file ? { data: enlarged.file, info } : { info };
  }
}

/** Creates a sink that collects a file in memory. */
function memorySink(): Sink<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  return {
    async write(part) {
      parts.push(part.slice());
    },
    async close() {
      return join(parts);
    },
    async abort() {
      parts.length = 0;
    },
  };
}

function pathOf(source: string | URL): string {
  if (typeof source === 'string') return source;
  if (source.protocol === 'file:') return fileURLToPath(source);
  throw invalid(
    `An address of ${source.protocol} is no file.`,
    'Fetch it, and pass the body of the response.',
  );
}

async function bytesOf(source: unknown, signal: AbortSignal): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (!isIterable(source)) {
    throw invalid(
      'The source is no image.',
      'Pass a path, a file: URL, the bytes of a file, a Blob or a stream of bytes.',
    );
  }
  const parts: Uint8Array[] = [];
  for await (const part of source) {
    throwIfAborted(signal);
    if (!(part instanceof Uint8Array)) {
      throw invalid('The stream does not give bytes.', 'Open it without an encoding.');
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const isIterable = (value: unknown): value is AsyncIterable<unknown> =>
  value instanceof Readable ||
  (typeof value === 'object' && value !== null && Symbol.asyncIterator in value);
