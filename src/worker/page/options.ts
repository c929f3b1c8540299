/** The options of `createUpscaler` and of an upscaler's methods, and the rules that check them. */

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
   * The folder that contains the weight files. A relative URL is resolved against the document or,
   * in a worker, against the worker's script. Default: the package's `models` folder, which
   * contains the weights of `a2n-photo-x2`.
   */
  readonly baseUrl?: string | URL;
  /**
   * Creates the worker. This function is needed only if the bundler does not find the library's own
   * worker script. For a worker script on another site, see `inlineWorker`.
   */
  readonly worker?: () => Worker;
  /** Whether to store weights in the Cache API; default true. */
  readonly cache?: boolean;
  /** The maximum memory that a job may use on the GPU or the CPU, in bytes. */
  readonly memoryBudget?: number;
  /**
   * The hardware that runs networks. `auto` (default) uses a GPU if WebGPU offers one, otherwise
   * the CPU through WebAssembly. `webgpu` also accepts a software adapter, which is slower than the
   * CPU backend. With `webgpu`, jobs fail with `NO_WEBGPU` if there is no adapter at all. `cpu`
   * does not use the GPU.
   */
  readonly backend?: BackendChoice;
  /**
   * The number of CPU threads, from 1 to 8. The default leaves one core free. Threads do not
   * require any HTTP headers. In cross-origin isolated pages, they share memory, which is faster.
   */
  readonly threads?: number;
  /**
   * The precision of feature maps and weights in GPU memory. `auto` (default) uses f16 for 8-bit
   * images if the GPU has `shader-f16` and the model is a shipped model with accurate f16 output:
   * at least 99.9 % of the output values are within 1/255 of the f32 values. Otherwise, `auto` uses
   * f32. With `f16`, jobs fail with `INVALID_INPUT` on a GPU without `shader-f16`.
   */
  readonly precision?: Precision;
  /**
   * How the fastest kernels for this GPU are chosen. `quick` (default) uses a table of adapter
   * families. When the first image is finished and no job is running, `quick` also benchmarks
   * kernels for at most 250 ms of GPU time, and later upscalers use the result. `full`, or true,
   * benchmarks for a few seconds before the first image. `off`, or false, uses only the table.
   * Benchmark results are stored in the Cache API, separately for each adapter and browser version.
   * With `cache: false` or on a software adapter, `quick` does not benchmark.
   */
  readonly tune?: TuneMode | boolean;
}

export interface JobOptions {
  /** An AbortSignal. It may come from another realm or from a polyfill. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: UpscaleProgress) => void) | undefined;
}

export interface EncodeOptions {
  readonly type: OutputType;
  /** The quality, from 0 to 1; default 0.92. It has no effect on PNG files. */
  readonly quality?: number | undefined;
  /** Whether a file's EXIF and XMP are kept; default `drop`. */
  readonly metadata?: Metadata | undefined;
}

export interface InspectOptions extends ModelChoice, JobOptions {
  /**
   * The region to inspect, in image pixels; default: the whole image. A2N's branch weights depend
   * on all pixels of the network's input, so they differ between a region and the whole image.
   */
  readonly region?: Rect | undefined;
  /**
   * The maximum number of pixels in the network's input, from 256 to 65536; default 16384. A larger
   * region is first reduced by the factor that the result reports as `reduction`. This limit also
   * bounds the memory that the result uses: about 3 KB per pixel for an A2N model at scale 2.
   */
  readonly maxPixels?: number | undefined;
}

export interface AddModelOptions extends AddOptions, JobOptions {
  /**
   * The name of the weight file. If the weights fit several scales and `scale` is not given,
   * Crispen looks for a scale such as `x4` in this name. Default: the name of the `File`, or the
   * last part of the URL.
   */
  readonly name?: string;
}

export interface ExportOptions {
  /** Whether to convert floating-point tensors to f16; default false. */
  readonly f16?: boolean;
}

export interface ModelChoice {
  /** The default is the model's scale. Without a model, it is 2, or 1 for a restoration task. */
  readonly scale?: number | undefined;
  /**
   * The id of a shipped or an added model. Default: the task's model, or the best photo model for
   * the scale. `auto` chooses the same model, unless an estimate says that the best models would
   * take more than 3 s for this image on this machine. In that case, `auto` chooses the fast photo
   * models. The result's `diagnostics.auto` reports the choice and the estimate. For `inspect`,
   * `auto` is the same as the default.
   */
  readonly model?: string | undefined;
  /**
   * The task. Default: the model's task, or `upscale` if there is no model. All tasks except
   * `upscale` restore the image at its own size. If a larger size is requested, the default models
   * then enlarge the restored image.
   */
  readonly task?: Task | undefined;
}

export interface PlanChoice extends ModelChoice, Tiling {
  /**
   * Any factor up to 16. The default is the model's scale. Without a model, it is 2, or 1 for a
   * restoration task. If the scale is above 1 and the model's family has no model of that scale,
   * Crispen uses the model with the next larger scale, or makes several passes. If the output is
   * larger than requested, it is then reduced.
   */
  readonly scale?: number | undefined;
  /**
   * An alternative to `scale`: a width or a height in pixels, or a box that the result must fit
   * into.
   */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fit?: { readonly width: number; readonly height: number } | undefined;
  /**
   * The region to enlarge, in whole pixels of the upright image; default: the whole image. Sizes in
   * the result, such as `inputWidth`, refer to this region. A region that extends beyond the image
   * causes `INVALID_INPUT`.
   */
  readonly region?: Rect | undefined;
  /** `lanczos` resizes without a network, on the GPU if there is one. Default: `network`. */
  readonly method?: Method | undefined;
  /** The number of bits per sample in a PNG file; default: the same as in the source. */
  readonly depth?: Depth | undefined;
  /** Either `bitmap` or a file type. Default: `bitmap`, or PNG if `to` is given. */
  readonly output?: OutputFormat | undefined;
  /**
   * The file handle or stream to which the result file is written as it is produced. If `to` is
   * given, `image` in the result is null.
   */
  readonly to?: UpscaleTarget | undefined;
  /**
   * The longest side, in pixels, of a preview image that is returned together with a result file.
   * The value must be at least 1. By default, there is no preview image.
   */
  readonly preview?: number | undefined;
  /** The quality, from 0 to 1; default 0.92. It has no effect on PNG files. */
  readonly quality?: number | undefined;
  /**
   * Called before a CPU job that would take more than a minute. The argument is the estimated time
   * in milliseconds. If the function returns `false`, the job ends with `ABORTED`. If there is no
   * such function, the job starts without confirmation.
   */
  readonly confirm?: ((milliseconds: number) => boolean | Promise<boolean>) | undefined;
  /**
   * Whether a result file keeps the source's EXIF and XMP; default `drop`. Colour profiles are
   * always kept.
   */
  readonly metadata?: Metadata | undefined;
}

export interface UpscaleRequest extends PlanChoice, JobOptions {}

/** The options for a result that is drawn on a canvas. */
export type DrawRequest = Omit<
  UpscaleRequest,
  'to' | 'output' | 'preview' | 'quality' | 'metadata' | 'depth'
>;

const job: Rules<JobOptions> = {
  // Only the properties are checked, because signals from other realms and polyfills are also
  // valid.
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
    return [x, y].every(pixels.accepts) && [width, height].every(area.accepts);
  },
  // The value is copied, because a framework's proxy object cannot be sent to a worker.
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
  // Fractions are valid, because callers may multiply a length by the device's pixel ratio.
  preview: number({ min: 1, max: 2 ** 31 - 1 }),
  quality,
  metadata,
};

const upscale = { ...sizing, ...running, ...written, ...job } satisfies Rules<UpscaleRequest>;

const TUNE_MODES: readonly TuneMode[] = ['off', 'quick', 'full'];
const tune: Rule = {
  kind: 'tune',
  wants: '"off", "quick", "full", true or false',
  accepts: (value) => typeof value === 'boolean' || TUNE_MODES.includes(value as TuneMode),
};

/** The rules for each call's options, by the name of the call. */
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
  upscale,
  upscaleTo: { ...sizing, ...running, ...job } satisfies Rules<DrawRequest>,
  inspect: {
    scale: SIZE_RULES.scale,
    model: MODEL_ID,
    task,
    region,
    maxPixels: whole(256, 65536),
    ...job,
  } satisfies Rules<InspectOptions>,
  // `estimateCpu` accepts all options of `upscale`, so callers can pass the same object to both.
  estimateCpu: upscale,
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
