/** The options of every call with their rules. They are defined only here. */

import { TASKS, type Task } from '../../catalog/task.ts';
import { OUTPUT_TYPES, type OutputType } from '../../codecs/formats.ts';
import type { Precision } from '../../engine/tune/precision.ts';
import type { Rect } from '../../geometry.ts';
import type { Depth } from '../../image/image.ts';
import { SIZE_RULES } from '../../image/sizeRules.ts';
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
  TuneMode,
  UpscaleProgress,
  UpscaleTarget,
} from '../protocol.ts';
import { isFileHandle, isStream, isUrl } from './realm.ts';

export interface UpscalerOptions {
  /**
   * Folder of the weight files, resolved against the document or, in a worker, against its script.
   * Default: next to the library, where the package has the weights of `a2n-photo-x2`.
   */
  readonly baseUrl?: string | URL;
  /**
   * Makes the worker, for bundlers with special needs. See `inlineWorker` for a worker from another
   * site.
   */
  readonly worker?: () => Worker;
  /** Whether to keep weights in the Cache API; default true. */
  readonly cache?: boolean;
  /** Bytes of memory that a job may use, on the GPU or on the CPU. */
  readonly memoryBudget?: number;
  /**
   * What runs networks. Default `auto`: a GPU if WebGPU offers one, otherwise the CPU through
   * WebAssembly. `webgpu` also accepts a software adapter, which is slower than the CPU backend;
   * jobs fail with `NO_WEBGPU` if there is no adapter at all. `cpu` does not use the GPU.
   */
  readonly backend?: BackendChoice;
  /**
   * Threads on the CPU, 1 to 8; default: one per core except one. They need no HTTP header. In
   * cross-origin isolated pages they share memory, which saves time.
   */
  readonly threads?: number;
  /**
   * Precision of maps and weights in GPU memory. Default `auto`: f16 for 8-bit images and shipped
   * models whose f16 output keeps 99.9 % of the values within 1/255 of f32, on a GPU with
   * `shader-f16`; otherwise f32. If it is `f16`, jobs fail with `INVALID_INPUT` on a GPU without
   * `shader-f16`.
   */
  readonly precision?: Precision;
  /**
   * How the fastest kernels for this GPU are chosen. `quick` (default): a table of adapter families
   * decides. Once the first image is done and nothing else runs, a measurement of at most 250 ms of
   * GPU time improves on the table for later upscalers. `full`, or true: a measurement that takes
   * some seconds before the first image. `off`, or false: the table decides. Results are kept in
   * the Cache API, by adapter and browser version. With `cache: false`, `quick` does not measure.
   * It never measures software adapters.
   */
  readonly tune?: TuneMode | boolean;
}

export interface JobOptions {
  /** An AbortSignal, also from another realm or a polyfill. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: UpscaleProgress) => void) | undefined;
}

export interface EncodeOptions {
  readonly type: OutputType;
  /** 0 to 1, for all but PNG; default 0.92. */
  readonly quality?: number | undefined;
  /** What happens to the EXIF and XMP of a file; default `drop`. */
  readonly metadata?: Metadata | undefined;
}

export interface InspectOptions extends ModelChoice, JobOptions {
  /**
   * The part of the image to inspect, in its pixels; default: all of it. The branch weights of A2N
   * depend on all pixels that the network sees, so a part has different branch weights from the
   * whole image.
   */
  readonly region?: Rect | undefined;
  /**
   * The most pixels that the network sees, 256 to 65536; default 16384. A larger part is reduced
   * first (`reduction` of the result). This also bounds the result: A2N has 3 KB per pixel.
   */
  readonly maxPixels?: number | undefined;
}

export interface AddModelOptions extends AddOptions, JobOptions {
  /** The file's name, which may give the scale. A `File` and a URL have names of their own. */
  readonly name?: string;
}

export interface ExportOptions {
  /** Whether to store f16 instead of the file's element type; default false. */
  readonly f16?: boolean;
}

export interface ModelChoice {
  /** Default: the model's scale. If there is no model: 2, or 1 for a task that restores. */
  readonly scale?: number | undefined;
  /**
   * Id of a shipped or an added model; default: the model of the task, or the best photo model of the
   * scale. `auto`: the same, but the fast photo models where an estimate says that the best ones would
   * take more than 3 s for this image on this machine. `diagnostics.auto` says why. For `inspect`, `auto`
   * is the default.
   */
  readonly model?: string | undefined;
  /**
   * What to do. Default: what the model does, or `upscale` if there is no model. The other tasks
   * restore the image at its own size. If another size is requested too, the default models enlarge
   * the restored image.
   */
  readonly task?: Task | undefined;
}

export interface PlanChoice extends ModelChoice, Tiling {
  /**
   * Any factor up to 16. Default: the model's scale, or 2 if there is neither a model nor a task.
   * For other factors, the next larger scale of the model's family runs, or several passes, and the
   * result is resized.
   */
  readonly scale?: number | undefined;
  /** Instead of `scale`: width or height in pixels, or a box into which the result fits. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fit?: { readonly width: number; readonly height: number } | undefined;
  /**
   * The part of the image to enlarge, in whole pixels of the upright image; default: all of it.
   * Sizes, such as `inputWidth` of the result, are those of this part. A region outside the image
   * is `INVALID_INPUT`.
   */
  readonly region?: Rect | undefined;
  /** `lanczos`: a resize without a network, on the GPU if there is one. Default `network`. */
  readonly method?: Method | undefined;
  /** Bits per sample of a PNG file; default: those of the source. */
  readonly depth?: Depth | undefined;
  /** Default: `bitmap`, or PNG if `to` is given. */
  readonly output?: OutputFormat | undefined;
  /** Where the file is written as it is made. The result then has no `image`. */
  readonly to?: UpscaleTarget | undefined;
  /** If given, a file result also gets a small picture whose longest side is this; 1 or more. */
  readonly preview?: number | undefined;
  /** 0 to 1, for all but PNG; default 0.92. */
  readonly quality?: number | undefined;
  /**
   * Called before a job on the CPU that would take more than a minute, with its estimated
   * milliseconds. `false` ends the job with `ABORTED`. Default: it continues.
   */
  readonly confirm?: ((milliseconds: number) => boolean | Promise<boolean>) | undefined;
  /**
   * Whether a result file keeps the source's EXIF and XMP; default `drop`. Profiles are always
   * kept.
   */
  readonly metadata?: Metadata | undefined;
}

export interface UpscaleRequest extends PlanChoice, JobOptions {}

/** The options of a drawn result. */
export type DrawRequest = Omit<
  UpscaleRequest,
  'to' | 'output' | 'preview' | 'quality' | 'metadata' | 'depth'
>;

const job: Rules<JobOptions> = {
  // Checked by shape, because signals of other realms and polyfills are valid too.
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

const integrity: Rule = {
  kind: 'integrity',
  wants: 'hashes such as sha256-…, in base64 and with spaces between them',
  accepts: (value) =>
    typeof value === 'string' &&
    value
      .trim()
      .split(/\s+/)
      .every((hash) => /^sha(256|384|512)-[A-Za-z0-9+/]+={0,2}$/.test(hash)),
};

const pixels = whole(0);
const area = side();
const region: Rule = {
  kind: 'region',
  wants: 'whole pixels, such as { x: 0, y: 0, width: 128, height: 128 }',
  accepts(value) {
    const { x, y, width, height } = Object(value);
    return [pixels.accepts(x), pixels.accepts(y), area.accepts(width), area.accepts(height)].every(
      (isRight) => isRight,
    );
  },
  // Copied, because a framework's own object cannot be sent to a worker.
  copy: ({ x, y, width, height }: Rect) => ({ x, y, width, height }),
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
  region,
  method,
  edge,
  tileSize: side(),
  confirm: callback,
};
const written = {
  depth: choice<Depth>([8, 16]),
  output: choice<OutputFormat>(['bitmap', ...OUTPUT_TYPES]),
  to: target,
  // An upper bound, which may be a product with the device's pixel ratio.
  preview: number({ min: 1, max: 2 ** 31 - 1 }),
  quality,
  metadata,
};

const TUNE_MODES: readonly TuneMode[] = ['off', 'quick', 'full'];
const tune: Rule = {
  kind: 'tune',
  wants: '"off", "quick", "full", true or false',
  accepts: (value) => typeof value === 'boolean' || TUNE_MODES.includes(value as TuneMode),
};

/** The rules for each call, by its name. */
export const CALLS = {
  createUpscaler: {
    baseUrl: url,
    worker: callback,
    cache: flag,
    memoryBudget,
    precision,
    tune,
    backend: choice<BackendChoice>(['auto', 'webgpu', 'cpu']),
    threads: whole(1, 8),
  } satisfies Rules<UpscalerOptions>,
  preload: job,
  upscale: { ...sizing, ...running, ...written, ...job } satisfies Rules<UpscaleRequest>,
  upscaleTo: { ...sizing, ...running, ...job } satisfies Rules<DrawRequest>,
  inspect: {
    scale: SIZE_RULES.scale,
    model: MODEL_ID,
    task,
    region,
    maxPixels: whole(256, 65536),
    ...job,
  } satisfies Rules<InspectOptions>,
  // The same options as for `upscale`, so callers can pass theirs.
  estimateCpu: { ...sizing, ...running, ...written, ...job } satisfies Rules<UpscaleRequest>,
  addModel: {
    scale: whole(1, 8),
    likelyScale: whole(1, 8),
    inputRange,
    task,
    name: text('the name of the file'),
    integrity,
    ...job,
  } satisfies Rules<AddModelOptions>,
  exportModel: { f16: flag } satisfies Rules<ExportOptions>,
  encode: {
    type: choice(OUTPUT_TYPES),
    quality,
    metadata,
  } satisfies Rules<EncodeOptions>,
} as const;
