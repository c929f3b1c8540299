/**
 * The protocol between the page and the worker. This file contains only types and constants. The
 * page's code and the worker's code import it, so it must not use the DOM or the worker's globals.
 */

import type { AutoChoice } from '../catalog/auto.ts';
import type { ModelFile } from '../catalog/files.ts';
import type { AddedTask, Task } from '../catalog/task.ts';
import type { OutputType } from '../codecs/formats.ts';
import type { Attention } from '../engine/oracle/attention.ts';
import type { Precision } from '../engine/tune/precision.ts';
import type { AdapterReport, UpscaleOptions, UpscaleReport } from '../engine/types.ts';
import type { SerializedError } from '../errors.ts';
import type { Rect } from '../geometry.ts';
import type { BayerMosaic } from '../image/bayer.ts';
import type { Depth, Rgba8Image } from '../image/image.ts';
import type { SizeWish } from '../image/size.ts';
import type { ImageTags } from '../image/tags.ts';

/**
 * The maximum number of pixels in an image that is enlarged without a GPU and without WebAssembly.
 * Plain JavaScript reaches about 1 GFLOP/s. A2N needs 2.1 MFLOP per input pixel at x2, so an image
 * of this size takes about 35 seconds. At x4, it takes more than twice as long.
 */
export const CPU_MAX_PIXELS = 128 * 128;

/** Either `bitmap` or the type of the output file. */
export type OutputFormat = 'bitmap' | OutputType;

/** The target to which a result is written: a file that the user chose, or a stream. */
export type UpscaleTarget = FileSystemFileHandle | WritableStream<Uint8Array>;

/**
 * A target as it is sent to the worker. If a stream cannot be transferred, the worker receives a
 * port instead, and the page writes the data from the port to the stream.
 */
export type WireTarget = UpscaleTarget | MessagePort;

/**
 * A request from the worker to the page: write to, close or abort a stream that cannot be
 * transferred. The page answers every request, in order.
 */
export type PumpRequest =
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly kind: 'close' }
  | { readonly kind: 'abort'; readonly reason: string };

/** The page's answer to a `PumpRequest`: null for success, otherwise the stream's error. */
export type PumpAnswer = { readonly name: string; readonly message: string } | null;

/** The method that produces the result: networks, or a plain resize. */
export type Method = 'network' | 'lanczos';

/**
 * The hardware that runs networks. `auto` uses a GPU if there is one, otherwise the CPU. `webgpu`
 * uses a GPU or a software adapter. `cpu` uses the CPU.
 */
export type BackendChoice = 'auto' | 'webgpu' | 'cpu';

/** If a CPU job would take more than this many milliseconds, the worker asks the page first. */
export const LONG_MS = 60_000;

export type Stage = 'decode' | 'download' | 'prepare' | 'upscale' | 'encode';

export interface UpscaleProgress {
  readonly stage: Stage;
  /** The completed fraction of the whole job, 0 to 1. It never decreases. */
  readonly fraction: number;
  /** The job's remaining time in milliseconds; null while it is unknown. */
  readonly remainingMs: number | null;
}

/**
 * Whether EXIF and XMP are kept or dropped. If they are kept, their orientation is set to upright,
 * and the original image's size and the EXIF thumbnail are removed.
 */
export type Metadata = 'keep' | 'drop';

/** Information about a source. */
export interface SourceFacts {
  /** The file format, such as `JPEG`; null for an element, a bitmap or pixels. */
  readonly format: string | null;
  /** The number of bits per sample of the decoded pixels. */
  readonly depth: Depth;
  /**
   * The colour space of the source and the result. If the value is `other`, the result file
   * contains a description of the colour space.
   */
  readonly colorSpace: ImageTags['colorSpace'];
  /** Whether the file has a colour profile. Result files get the same profile. */
  readonly hasProfile: boolean;
  /** Whether the file has EXIF or XMP that can be kept. */
  readonly hasMetadata: boolean;
  /** Whether every pixel is grey. If so, the result's pixels are grey too. */
  readonly grey: boolean;
  /** Whether the file is an animation. Only its first frame is enlarged. */
  readonly animated: boolean;
  /** Messages for the user about properties of the source that could not be kept. */
  readonly notes: readonly string[];
}

/** Information about how a result was produced: time, tiles, precision and memory. */
export interface Diagnostics extends Omit<UpscaleReport, 'backend'> {
  /** The reason why no GPU was used. Null if a GPU was used, or if none was requested. */
  readonly noGpu: string | null;
  /**
   * The time that each stage took, in milliseconds. Stages that were not needed are absent. If the
   * file is encoded while the image is still being enlarged, this encoding time counts as
   * `upscale`.
   */
  readonly timings: Readonly<Partial<Record<Stage, number>>>;
  /** The models that `model: 'auto'` chose, and the reason; absent for other requests. */
  readonly auto?: AutoChoice | undefined;
}

export interface UpscaleOutput<Image = ImageBitmap | Blob> {
  /**
   * A bitmap if the option `output` is `'bitmap'`, otherwise a file. Null if the result was written
   * to a target or drawn on a canvas. Close the bitmap when you no longer need it. A file of more
   * than 64 MiB might be stored in the origin private file system. Such a file can be read until
   * the upscaler is destroyed or the user leaves the page.
   */
  readonly image: Image;
  /** The size of the file in bytes; null for a bitmap or a canvas. */
  readonly bytes: number | null;
  /** The preview image of the result, if one was requested. Close it when you no longer need it. */
  readonly preview: ImageBitmap | null;
  readonly width: number;
  readonly height: number;
  readonly inputWidth: number;
  readonly inputHeight: number;
  readonly source: SourceFacts;
  /** The first model that ran; null for Lanczos, which is not a network. */
  readonly model: string | null;
  /**
   * The models, in the order in which they ran. Each model after the first one ran on the previous
   * model's output. These additional passes add pixels but no true detail.
   */
  readonly passes: readonly string[];
  /**
   * The total scale of all network runs. If it differs from the requested scale, the output of the
   * networks was resized.
   */
  readonly networkScale: number;
  /** The backend that produced the result. */
  readonly backend: 'webgpu' | 'cpu' | 'lanczos';
  readonly adapter: AdapterReport | null;
  readonly diagnostics: Diagnostics;
}

/** An upscale request with every default filled in and every value checked. */
export interface UpscalePlan {
  /** The id of the model; null for the default models. */
  readonly model: string | null;
  /** Whether to use the fast models if the best models would take too long. */
  readonly auto: boolean;
  /** The model's scale. */
  readonly scale: number;
  /** The requested size; null if the model's scale already produces that size. */
  readonly wish: SizeWish | null;
  /** The region to enlarge, in image pixels; null for the whole image. */
  readonly region: Rect | null;
  /** The requested method; null for the default, `network`. */
  readonly method: Method | null;
  /**
   * The number of bits per sample of the result. If null, it is the same as in the source, as far
   * as the output format allows.
   */
  readonly depth: Depth | null;
  readonly output: OutputFormat;
  /** The quality of the file, 0 to 1. */
  readonly quality: number;
  readonly metadata: Metadata;
  /** The longest side of the preview image; null for no preview image. */
  readonly preview: number | null;
  readonly tiling: Tiling;
  /** Whether the worker must ask the page before it starts a long job on the CPU. */
  readonly asks: boolean;
}

/** How an image is divided into tiles, and how its edges are handled. */
export type Tiling = Pick<UpscaleOptions, 'tileSize' | 'edge'>;

/** Information about a weight file that the file itself might not contain. */
export interface AddOptions {
  /**
   * The scale. Some networks have the same layers for x2 and x3. If the file's name does not state
   * the scale of such a network, this option or `likelyScale` is required.
   */
  readonly scale?: number | undefined;
  /** The scale that is used if neither the file nor its name determines it. */
  readonly likelyScale?: number | undefined;
  /** The largest value of the network's input, if it is not the usual 1 or 255. */
  readonly inputRange?: number | undefined;
  /**
   * The network's task. By default, the task of a network with scale 1 is the one that the file's
   * name indicates.
   */
  readonly task?: Task | undefined;
  /**
   * One or more hashes of the file, in the format of HTML's `integrity` attribute, such as
   * `sha256-` followed by base64. A file with a different hash is rejected.
   */
  readonly integrity?: string | undefined;
}

/** A network's attention values for one image. */
export interface AttentionInspection extends Attention {
  readonly model: string;
  readonly architecture: string;
  /** The model's scale. */
  readonly scale: number;
  readonly backend: 'webgpu' | 'cpu';
  /** The size of the network's input, in pixels. */
  readonly width: number;
  readonly height: number;
  /** The region that was inspected, in image pixels. */
  readonly region: Rect;
  /**
   * The factor by which the image was reduced. Each pixel of the network's input is the mean of a
   * square whose sides are this many image pixels long. A factor of 1 means that the image was not
   * reduced.
   */
  readonly reduction: number;
  /** The duration of the run in milliseconds, without decoding and downloading. */
  readonly milliseconds: number;
}

/** An inspection request with every value checked. */
export interface InspectPlan {
  readonly model: string;
  /** The region to inspect, in image pixels; null for the whole image. */
  readonly region: Rect | null;
  readonly maxPixels: number;
}

/**
 * A value that is used in place of a model id. The worker then chooses between the best models and
 * the fast models. No model has this id.
 */
export const AUTO = 'auto';

/** The prefix of the ids of added models. The ids of shipped models never have it. */
export const ADDED_PREFIX = 'own-';

/** An added weight file and the properties that were detected in it. */
export interface AddedModel {
  /** The id to pass as `model` in a request. */
  readonly id: string;
  /** The file's name without its extension. */
  readonly name: string;
  readonly architecture: string;
  /**
   * The task of the network. `restore` means that the scale is 1 and the file's name does not
   * indicate the task.
   */
  readonly task: AddedTask;
  readonly scale: number;
  readonly scaleSource: 'shapes' | 'name' | 'option' | 'default';
  readonly inputRange: number;
  /**
   * Messages about information that is missing from the file, and about the default values that
   * were assumed.
   */
  readonly assumptions: readonly string[];
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy';
  readonly parameters: number;
  readonly bytes: number;
  /** The hash of the file; empty in insecure contexts. */
  readonly sha256: string;
  /** The time when the model was added, in milliseconds since 1970. */
  readonly added: number;
  /**
   * Whether the file is stored on disk. If not, it is kept in memory until the upscaler is
   * destroyed or the user leaves the page.
   */
  readonly kept: boolean;
}

/**
 * A source as it is sent to the worker. Bitmaps and arrays of samples are transferred, not cloned.
 */
export type WireSource =
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'bitmap'; readonly bitmap: ImageBitmap }
  | { readonly kind: 'pixels'; readonly image: Rgba8Image }
  | { readonly kind: 'mosaic'; readonly mosaic: BayerMosaic };

/** Information about how networks run on the CPU. */
export interface CpuReport {
  /**
   * The kind of code: WebAssembly with or without relaxed SIMD, or plain JavaScript (`loops`),
   * which takes about a hundred times as long and accepts at most 128 x 128 pixels.
   */
  readonly code: 'relaxed-simd' | 'simd' | 'loops';
  /** The number of threads that a job may use. */
  readonly threads: number;
  /** Whether the threads share memory, as in cross-origin isolated pages. */
  readonly shared: boolean;
}

export interface WireDetection {
  readonly adapter: AdapterReport | null;
  readonly reason: SerializedError | null;
  /** Null if the CPU does not run networks. */
  readonly cpu: (CpuReport & { readonly reason: SerializedError | null }) | null;
}

/**
 * The result of a call. Comlink keeps only the name, message and stack of a thrown error, so the
 * worker returns errors as values, which include the code and the hint.
 */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: SerializedError };

export interface WorkerConfig {
  /**
   * The list of shipped models. The page sends this list, so the worker's script does not have to
   * include it.
   */
  readonly files: readonly ModelFile[];
  /** The absolute URL of the folder that contains the weight files. */
  readonly baseUrl: string;
  /** The absolute URLs of weight files outside the folder `baseUrl`, by file name. */
  readonly packaged: Readonly<Record<string, string>>;
  /** Whether to keep weights in the Cache API. */
  readonly cache: boolean;
  /** The maximum memory for a job, in bytes; null for the engine's default. */
  readonly memoryBudget: number | null;
  readonly backend: BackendChoice;
  /** The number of CPU threads; null to use all cores except one, but at most 8 threads. */
  readonly threads: number | null;
  readonly precision: Precision;
  readonly tune: TuneMode;
  /**
   * The name of the lock that the worker holds until it ends, or null for no lock. The lock's
   * release tells the page that the worker has ended.
   */
  readonly lifeline: string | null;
  readonly visible: boolean;
}

/**
 * How the fastest kernels are chosen. `off` uses the kernels that a built-in table lists for the
 * GPU's family. `quick` runs a short benchmark after the first image. `full` runs a longer
 * benchmark before the first image.
 */
export type TuneMode = 'off' | 'quick' | 'full';

/**
 * A progress message from the worker. It is not one of Comlink's messages, and Comlink ignores it
 * because it has no `id`. It is sent through the same port as the results, so progress never
 * arrives after its job has ended.
 */
export interface ProgressEvent {
  readonly job: number;
  readonly progress: UpscaleProgress;
}

/**
 * A message from the worker that asks whether to continue a job. The page replies with
 * `WorkerApi.answer`.
 */
export interface QuestionEvent {
  readonly job: number;
  /** The job's estimated duration in milliseconds. The page decides whether to continue. */
  readonly question: number;
}

/**
 * A message that turns a new worker into a thread. The thread receives its tasks through the port.
 * A worker that cannot start other workers sends this message to the page, and the page starts the
 * thread.
 */
export interface ThreadEvent {
  readonly thread: MessagePort;
}

/** The worker's interface. The page chooses job ids, which are unique per worker. */
export interface WorkerApi {
  /** This must be the first call. It resolves when the worker has acquired the lock `lifeline`. */
  configure(config: WorkerConfig): Promise<void>;
  /** Returns immediately, which shows that the worker is alive. */
  ping(): Result<null>;
  detect(): Promise<Result<WireDetection>>;
  preload(id: number, model: string): Promise<Result<null>>;
  upscale(
    id: number,
    source: WireSource,
    plan: UpscalePlan,
    target: WireTarget | OffscreenCanvas | null,
  ): Promise<Result<UpscaleOutput<ImageBitmap | Blob | null>>>;
  inspect(id: number, source: WireSource, plan: InspectPlan): Promise<Result<AttentionInspection>>;
  estimateCpu(plan: UpscalePlan, width: number, height: number): Promise<Result<number>>;
  encode(
    image: ImageBitmap | Blob,
    type: OutputType,
    quality: number,
    metadata: Metadata,
  ): Promise<Result<Blob>>;
  /** Adds a weight file, given as a Blob or as a URL. */
  addModel(
    id: number,
    file: Blob | string,
    name: string,
    options: AddOptions,
  ): Promise<Result<AddedModel>>;
  models(): Promise<Result<AddedModel[]>>;
  removeModel(model: string): Promise<Result<null>>;
  exportModel(model: string, f16: boolean): Promise<Result<Blob>>;
  /** Tells the worker whether to continue a job, in reply to a `QuestionEvent`. */
  answer(id: number, yes: boolean): void;
  /** Ends a queued or running job with `ABORTED`. Ignores unknown ids. */
  cancel(id: number): void;
  setVisible(visible: boolean): void;
}
