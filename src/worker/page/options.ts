/** The options of every call, each with its rule: what they may be is written here and nowhere else. */

import { TASKS, type Task } from '../../catalog/task.ts';
import { OUTPUT_TYPES, type OutputType } from '../../codecs/formats.ts';
import type { Precision } from '../../engine/tune/precision.ts';
import type { Depth } from '../../image/image.ts';
import { SIZE_RULES } from '../../image/size.ts';
import {
  type Choice,
  callback,
  choice,
  flag,
  inputRange,
  number,
  type Rule,
  type Rules,
  shaped,
  side,
  text,
  whole,
} from '../../options.ts';
import type {
  AddOptions,
  BackendChoice,
  Metadata,
  Method,
  OutputFormat,
  Tiling,
  UpscaleProgress,
  UpscaleTarget,
} from '../protocol.ts';
import { isFileHandle, isStream, isUrl } from './realm.ts';

export interface UpscalerOptions {
  /**
   * Folder of the weight files, resolved against the document or, in a worker, against its script.
   * Default: beside the library, where the package has those of `a2n-photo-x2`.
   */
  readonly baseUrl?: string | URL;
  /** Makes the worker; for bundlers with special needs. See `inlineWorker` for other sites. */
  readonly worker?: () => Worker;
  /** Keep weights in the Cache API; default true. */
  readonly cache?: boolean;
  /** Bytes of memory that a job may take, on the GPU or on the CPU. */
  readonly memoryBudget?: number;
  /**
   * What runs networks. Default `auto`: a GPU where WebGPU offers one, else the processor, by WebAssembly.
   * `webgpu` also takes a software adapter, which is slower than the processor; jobs end with
   * `NO_WEBGPU` where there is no adapter at all. `cpu` leaves the GPU alone.
   */
  readonly backend?: BackendChoice;
  /**
   * Threads on the CPU, 1 to 8; default: one for each core but one. They need no HTTP header; in
   * cross-origin isolated pages they share memory, which saves time.
   */
  readonly threads?: number;
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

export interface JobOptions {
  /** An AbortSignal, also of another realm or by a polyfill. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: UpscaleProgress) => void) | undefined;
}

export interface EncodeOptions {
  readonly type: OutputType;
  /** 0 to 1, for all but PNG; default 0.92. */
  readonly quality?: number | undefined;
  /** EXIF and XMP of a file; default `drop`. */
  readonly metadata?: Metadata | undefined;
}

export interface AddModelOptions extends AddOptions, JobOptions {
  /** The file's name, from which some scales are told; a `File` and an address have their own. */
  readonly name?: string;
}

export interface ExportOptions {
  /** Element type f16 in place of the file's own; default false. */
  readonly f16?: boolean;
}

export interface ModelChoice {
  /** Default: the model's; without a model 2, and 1 for a task that restores. */
  readonly scale?: number | undefined;
  /**
   * Id of a shipped or an added model; default: the photo model of the scale, where there is one, or
   * that of the task.
   */
  readonly model?: string | undefined;
  /**
   * What to do; default: what the model does, without a model `upscale`. The others restore the image
   * at its own size; where another size is asked for as well, the default models enlarge what comes
   * out.
   */
  readonly task?: Task | undefined;
}

export interface PlanChoice extends ModelChoice, Tiling {
  /**
   * Any factor up to 16; default: the model's scale, without a model and a task 2. What no network has of itself
   * is made by the next larger scale of the model's family, or by several passes, and resized.
   */
  readonly scale?: number | undefined;
  /** In place of `scale`: width or height in pixels, or a box that the result fits into. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fit?: { readonly width: number; readonly height: number } | undefined;
  /** `lanczos`: resized without a network, on the GPU where there is one. Default `network`. */
  readonly method?: Method | undefined;
  /** Bits of the samples in a PNG file; default: as many as the source has. */
  readonly depth?: Depth | undefined;
  /** Default `bitmap`; with `to` PNG. */
  readonly output?: OutputFormat | undefined;
  /** Where the file goes as it is made, in place of `image` of the result. */
  readonly to?: UpscaleTarget | undefined;
  /** Longest side of a small picture to make of a result that is a file; 1 or more. */
  readonly preview?: number | undefined;
  /** 0 to 1, for all but PNG; default 0.92. */
  readonly quality?: number | undefined;
  /**
   * Asked before a job on the CPU that would take more than a minute, with its estimated milliseconds;
   * `false` ends it with `ABORTED`. Default: it goes on.
   */
  readonly confirm?: ((milliseconds: number) => boolean | Promise<boolean>) | undefined;
  /** EXIF and XMP of the source in a file of the result; default `drop`. Profiles are always kept. */
  readonly metadata?: Metadata | undefined;
}

export interface UpscaleRequest extends PlanChoice, JobOptions {}

/** What can be asked of a result that is drawn. */
export type DrawRequest = Omit<
  UpscaleRequest,
  'to' | 'output' | 'preview' | 'quality' | 'metadata' | 'depth'
>;

const job: Rules<JobOptions> = {
  // By its shape: signals of other realms and of polyfills are as good.
  signal: shaped('signal', 'an AbortSignal', {
    aborted: 'boolean',
    addEventListener: 'function',
    removeEventListener: 'function',
  }),
  onProgress: callback,
};

const url: Rule = {
  kind: 'url',
  wants: 'an address, as a string or a URL',
  accepts: (value) => typeof value === 'string' || isUrl(value),
};

const target: Rule = {
  kind: 'target',
  wants: 'a file handle or an unlocked stream',
  accepts: (value) => (isStream(value) ? !value.locked : isFileHandle(value)),
};

export const MODEL_ID = text('the id of a model');
const quality = number({ min: 0, max: 1 });
const metadata: Choice<Metadata> = choice(['keep', 'drop']);
const task = choice(TASKS);
export const precision: Choice<Precision> = choice(['auto', 'f32', 'f16']);
export const edge: Choice<NonNullable<Tiling['edge']>> = choice(['zero', 'replicate', 'wrap']);
export const method: Choice<Method> = choice(['network', 'lanczos']);
export const memoryBudget = number({ min: 1, max: Number.MAX_SAFE_INTEGER });

const sizing = { ...SIZE_RULES, model: MODEL_ID, task };
const running = {
  ...{ method, edge, tileSize: side() },
  confirm: callback,
};
const written = {
  depth: choice<Depth>([8, 16]),
  output: choice<OutputFormat>(['bitmap', ...OUTPUT_TYPES]),
  to: target,
  // A bound, which may come out of a multiplication by the device's ratio of pixels.
  preview: number({ min: 1, max: 2 ** 31 - 1 }),
  ...{ quality, metadata },
};

/** The rules of each call, by its name. */
export const CALLS = {
  createUpscaler: {
    baseUrl: url,
    worker: callback,
    cache: flag,
    ...{ memoryBudget, precision },
    tune: flag,
    backend: choice<BackendChoice>(['auto', 'webgpu', 'cpu']),
    threads: whole(1, 8),
  } satisfies Rules<UpscalerOptions>,
  preload: job,
  upscale: { ...sizing, ...running, ...written, ...job } satisfies Rules<UpscaleRequest>,
  upscaleTo: { ...sizing, ...running, ...job } satisfies Rules<DrawRequest>,
  // As of `upscale`, whose options one has at hand.
  estimateCpu: { ...sizing, ...running, ...written, ...job } satisfies Rules<UpscaleRequest>,
  addModel: {
    scale: whole(1, 8),
    likelyScale: whole(1, 8),
    ...{ inputRange, task },
    name: text('the name of the file'),
    ...job,
  } satisfies Rules<AddModelOptions>,
  exportModel: { f16: flag } satisfies Rules<ExportOptions>,
  encode: {
    type: choice(OUTPUT_TYPES),
    ...{ quality, metadata },
  } satisfies Rules<EncodeOptions>,
} as const;
