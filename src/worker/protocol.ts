/**
 * The protocol between page and worker. This file has only types and constants. It is compiled for
 * both sides, so it must not use the DOM or the worker's globals.
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
 * The largest LR image, in pixels, that can be enlarged without a GPU and without WebAssembly.
 * Plain loops reach about 1 GFLOP/s. A2N needs 2.1 MFLOP per LR pixel at x2 and more than twice as
 * much at x4.
 */
export const CPU_MAX_PIXELS = 128 * 128;

/** The output is a bitmap, or a file of the given type. */
export type OutputFormat = 'bitmap' | OutputType;

/**
 * The target to which a result is written while it is made: a file that the user chose, or a
 * stream.
 */
export type UpscaleTarget = FileSystemFileHandle | WritableStream<Uint8Array>;

/**
 * A target in the form that is sent to the worker. If a stream cannot be transferred, the worker
 * gets a port, and the page writes the data from the port to the stream.
 */
export type WireTarget = UpscaleTarget | MessagePort;

/**
 * A request to the page for a stream that cannot be transferred. The page answers every request, in
 * order.
 */
export type PumpRequest =
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly kind: 'close' }
  | { readonly kind: 'abort'; readonly reason: string };

/** The answer is null, or the error of the stream. */
export type PumpAnswer = { readonly name: string; readonly message: string } | null;

/** The method that makes the result: networks, or a plain resize. */
export type Method = 'network' | 'lanczos';

/**
 * The hardware that runs networks. `auto` uses a GPU if there is one, otherwise the CPU. `webgpu`
 * uses a GPU or a software adapter. `cpu` uses the CPU.
 */
export type BackendChoice = 'auto' | 'webgpu' | 'cpu';

/** Jobs that take longer than this ask the page before they start. */
export const LONG_MS = 60_000;

export type Stage = 'decode' | 'download' | 'prepare' | 'upscale' | 'encode';

export interface UpscaleProgress {
  readonly stage: Stage;
  /** The completed fraction of the whole job, 0 to 1. It never decreases. */
  readonly fraction: number;
  /** The remaining milliseconds of the job; null while they are unknown. */
  readonly remainingMs: number | null;
}

/**
 * Whether EXIF and XMP are kept or dropped. Kept EXIF is changed: the orientation is upright, and
 * sizes and the thumbnail are removed.
 */
export type Metadata = 'keep' | 'drop';

/** Facts about a source. */
export interface SourceFacts {
  /** The file format, such as `JPEG`; null for an element, a bitmap or pixels. */
  readonly format: string | null;
  /** The number of bits per sample of the decoded pixels. */
  readonly depth: Depth;
  /**
   * The colour space of the source and of the result. If it is `other`, the result file describes
   * it.
   */
  readonly colorSpace: ImageTags['colorSpace'];
  /** Whether the file has a colour profile. Result files get the same profile. */
  readonly hasProfile: boolean;
  /** Whether the file has EXIF or XMP that can be kept. */
  readonly hasMetadata: boolean;
  /** Whether every pixel is grey. The result's pixels are then grey too. */
  readonly grey: boolean;
  /** Whether the file is an animation. Only its first frame is enlarged. */
  readonly animated: boolean;
  /** Sentences for the user about properties of the source that could not be kept. */
  readonly notes: readonly string[];
}

/** Facts about how a result was made: time, tiles, precision and memory. */
export interface Diagnostics extends Omit<UpscaleReport, 'backend'> {
  /** A message that says why no GPU was used; null if a GPU was used or not requested. */
  readonly noGpu: string | null;
  /**
   * The milliseconds per stage. Stages that were not needed are absent. If the file is encoded
   * strip by strip, this time is part of `upscale`.
   */
  readonly timings: Readonly<Partial<Record<Stage, number>>>;
  /** The models that `model: 'auto'` chose, and the reason; absent for other requests. */
  readonly auto?: AutoChoice | undefined;
}

export interface UpscaleOutput<Image = ImageBitmap | Blob> {
  /**
   * A bitmap for the output `bitmap`, otherwise a file. Null if the result was written to a target.
   * Close the bitmap when you no longer need it. A file of more than 64 MiB may be stored in the
   * origin private file system. It can be read until the upscaler is destroyed or the page is left.
   */
  readonly image: Image;
  /** The size of the file in bytes; null for a bitmap. */
  readonly bytes: number | null;
  /** The small picture of the result, if one was requested. Close it when you no longer need it. */
  readonly preview: ImageBitmap | null;
  readonly width: number;
  readonly height: number;
  readonly inputWidth: number;
  readonly inputHeight: number;
  readonly source: SourceFacts;
  /** The first model that ran; null for Lanczos, which is not a network. */
  readonly model: string | null;
  /**
   * The models in the order of their runs. If there are several, the image was enlarged several
   * times. Each later run enlarges the output of the previous run, which adds size but no true
   * detail.
   */
  readonly passes: readonly string[];
  /**
   * The total scale of all network runs. If it differs from the requested scale, the output of the
   * networks was resized.
   */
  readonly networkScale: number;
  /** The backend that made the result. */
  readonly backend: 'webgpu' | 'cpu' | 'lanczos';
  readonly adapter: AdapterReport | null;
  readonly diagnostics: Diagnostics;
}

/** An upscale request with every default filled in and every value checked. */
export interface UpscalePlan {
  /** The id of the model; null for the default models. */
  readonly model: string | null;
  /** Whether fast models replace the best models if these would take too long. */
  readonly auto: boolean;
  /** The model's scale. */
  readonly scale: number;
  /** The requested size if the model's scale does not give it; otherwise null. */
  readonly wish: SizeWish | null;
  /** The part to enlarge, in pixels of the image; null for the whole image. */
  readonly region: Rect | null;
  /** The method; null for a network. */
  readonly method: Method | null;
  /**
   * The number of bits per sample of the result. If null, it is the source's, as far as the output
   * format allows.
   */
  readonly depth: Depth | null;
  readonly output: OutputFormat;
  /** The quality of the file, 0 to 1. */
  readonly quality: number;
  readonly metadata: Metadata;
  /** The longest side of a small picture of the result; null for no picture. */
  readonly preview: number | null;
  readonly tiling: Tiling;
  /** Whether the page must be asked before a long job on the CPU. */
  readonly asks: boolean;
}

/** How an image is divided into tiles, and how its edges are handled. */
export type Tiling = Pick<UpscaleOptions, 'tileSize' | 'edge'>;

/** Information about a weight file besides its bytes. */
export interface AddOptions {
  /**
   * The scale. It is required if the file does not determine it, because x2 and x3 of some networks
   * have the same layers.
   */
  readonly scale?: number | undefined;
  /** The scale that is used if neither the file nor its name determines it. */
  readonly likelyScale?: number | undefined;
  /** The largest value of the network's input, if it is not the usual 1 or 255. */
  readonly inputRange?: number | undefined;
  /** The task of a network of scale 1, if the file's name does not contain it. */
  readonly task?: Task | undefined;
  /**
   * One or more hashes of the file, such as `sha256-` and base64, as in the attribute `integrity`
   * of HTML. A file with another hash is rejected.
   */
  readonly integrity?: string | undefined;
}

/** The attention of a network for one image. */
export interface AttentionInspection extends Attention {
  readonly model: string;
  readonly architecture: string;
  /** The model's scale. */
  readonly scale: number;
  readonly backend: 'webgpu' | 'cpu';
  /** The size of the network's input, in pixels. */
  readonly width: number;
  readonly height: number;
  /** The part that was inspected, in pixels of the image. */
  readonly region: Rect;
  /**
   * Each pixel of the network's input is the mean of a square of pixels with this side. 1 means
   * that the image was not reduced.
   */
  readonly reduction: number;
  /** The duration of the run, without decoding and download. */
  readonly milliseconds: number;
}

/** An inspection request with every value checked. */
export interface InspectPlan {
  readonly model: string;
  /** The part to inspect, in pixels of the image; null for the whole image. */
  readonly region: Rect | null;
  readonly maxPixels: number;
}

/**
 * Used in place of a model's id: the worker chooses the best or the fast models. No model has this
 * id.
 */
export const AUTO = 'auto';

/** The prefix of the ids of added models. Ids in the manifest never have it. */
export const ADDED_PREFIX = 'own-';

/** An added weight file and the facts that were recognised in it. */
export interface AddedModel {
  /** The id to pass as `model` in a request. */
  readonly id: string;
  /** The file's name without its extension. */
  readonly name: string;
  readonly architecture: string;
  /**
   * The task of the network. `restore` means a network of scale 1 for any task except `upscale`.
   */
  readonly task: AddedTask;
  readonly scale: number;
  readonly scaleSource: 'shapes' | 'name' | 'option' | 'default';
  readonly inputRange: number;
  /**
   * Sentences about facts that are missing in the file, and about the usual values that were
   * assumed.
   */
  readonly assumptions: readonly string[];
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy';
  readonly parameters: number;
  readonly bytes: number;
  /** The hash of the file; empty in insecure contexts. */
  readonly sha256: string;
  /** The time when the model was added, in milliseconds since 1970. */
  readonly added: number;
  /** Whether the file is stored. If not, it is only in memory until the page is left. */
  readonly kept: boolean;
}

/** A source in the form that is sent to the worker; bitmaps and pixels are transferred. */
export type WireSource =
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'bitmap'; readonly bitmap: ImageBitmap }
  | { readonly kind: 'pixels'; readonly image: Rgba8Image }
  | { readonly kind: 'mosaic'; readonly mosaic: BayerMosaic };

/** Information about how networks run on the CPU. */
export interface CpuReport {
  /**
   * The kind of code: WebAssembly with or without relaxed SIMD, or `loops`. `loops` is plain
   * JavaScript for images up to 128x128, and takes a hundred times as long.
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
  /** Null if the GPU runs networks. */
  readonly cpu: (CpuReport & { readonly reason: SerializedError | null }) | null;
}

/**
 * The result of a call. Comlink keeps only the name, message and stack of an error, so errors with
 * codes and hints are sent as values.
 */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: SerializedError };

export interface WorkerConfig {
  /**
   * The list of shipped models. The page sends it, so the worker's script does not have to include
   * it.
   */
  readonly files: readonly ModelFile[];
  /** The absolute URL of the folder of weight files. */
  readonly baseUrl: string;
  /** The absolute URLs of weight files outside this folder, by file name. */
  readonly packaged: Readonly<Record<string, string>>;
  /** Whether to keep weights in the Cache API. */
  readonly cache: boolean;
  /** The number of bytes of memory for a job; null for the engine's default. */
  readonly memoryBudget: number | null;
  readonly backend: BackendChoice;
  /** The number of threads on the CPU; null to use all cores except one. */
  readonly threads: number | null;
  readonly precision: Precision;
  readonly tune: TuneMode;
  /** The name of a lock that the worker holds until it ends; null for no lock. */
  readonly lifeline: string | null;
  readonly visible: boolean;
}

/**
 * How the fastest kernels are chosen. `off` uses a table of adapter families. `quick` makes a short
 * measurement after the first image. `full` makes a long measurement on first use.
 */
export type TuneMode = 'off' | 'quick' | 'full';

/**
 * A message from the worker about progress, in addition to Comlink's own messages. Comlink ignores
 * this message, because it has no `id`. It uses the same port as the results, so progress never
 * arrives after the end of its job.
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
  /** The estimated duration of the job in milliseconds. */
  readonly question: number;
}

/**
 * A message that turns a new worker into a thread. The thread gets its tasks through the port. A
 * worker that cannot start other workers sends this message to the page, which starts the thread.
 */
export interface ThreadEvent {
  readonly thread: MessagePort;
}

/** The worker's interface. The page chooses job ids, which are unique per worker. */
export interface WorkerApi {
  /** Must be the first call. Resolves when the worker holds its lock. */
  configure(config: WorkerConfig): Promise<void>;
  /** Answers immediately, which shows that the worker is alive. */
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
  /** Answers the question of a job whether it should continue. */
  answer(id: number, yes: boolean): void;
  /** Ends a queued or running job with `ABORTED`. Ignores unknown ids. */
  cancel(id: number): void;
  setVisible(visible: boolean): void;
}
