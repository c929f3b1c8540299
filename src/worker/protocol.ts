/**
 * The protocol between page and worker. Only types and constants, compiled on both sides: nothing
 * here may need the DOM or the worker's globals.
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
 * The largest LR image, in pixels, that is enlarged without a GPU and without WebAssembly. Plain
 * loops reach about 1 GFLOP/s; A2N costs 2.1 MFLOP per LR pixel at x2 and more than twice as much
 * at x4.
 */
export const CPU_MAX_PIXELS = 128 * 128;

/** A bitmap, or the type of a file. */
export type OutputFormat = 'bitmap' | OutputType;

/** Where a result is written while it is made: a file that the user chose, or a stream. */
export type UpscaleTarget = FileSystemFileHandle | WritableStream<Uint8Array>;

/**
 * A target in the form that the worker gets. A port leads to a stream of the page that cannot be
 * transferred.
 */
export type WireTarget = UpscaleTarget | MessagePort;

/** What the page is to do with such a stream. Every request is answered, in order. */
export type PumpRequest =
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly kind: 'close' }
  | { readonly kind: 'abort'; readonly reason: string };

/** Null, or the error of the stream. */
export type PumpAnswer = { readonly name: string; readonly message: string } | null;

/** What makes the result: networks, or a plain resize. */
export type Method = 'network' | 'lanczos';

/**
 * What runs networks. `auto`: a GPU if there is one, otherwise the CPU. `webgpu`: a GPU or a
 * software adapter. `cpu`: the CPU.
 */
export type BackendChoice = 'auto' | 'webgpu' | 'cpu';

/** Jobs longer than this ask first. */
export const LONG_MS = 60_000;

export type Stage = 'decode' | 'download' | 'prepare' | 'upscale' | 'encode';

export interface UpscaleProgress {
  readonly stage: Stage;
  /** Fraction of the whole job, 0 to 1; never decreases. */
  readonly fraction: number;
  /** Milliseconds to the end of the job; null while unknown. */
  readonly remainingMs: number | null;
}

/** Whether EXIF and XMP are kept (upright, without sizes and thumbnail) or dropped. */
export type Metadata = 'keep' | 'drop';

/** Facts about a source. */
export interface SourceFacts {
  /** The format of a file, such as `JPEG`; null for an element, a bitmap or pixels. */
  readonly format: string | null;
  /** Bits per sample of its decoded pixels. */
  readonly depth: Depth;
  /** The meaning of its values and of the result's. `other`: the result file describes it. */
  readonly colorSpace: ImageTags['colorSpace'];
  /** Whether the file had a profile, which result files have too. */
  readonly hasProfile: boolean;
  /** Whether there is EXIF or XMP that can be kept. */
  readonly hasMetadata: boolean;
  /** Whether every pixel is grey; the result's pixels are then grey too. */
  readonly grey: boolean;
  /** Whether it is an animation, of which the first frame was enlarged. */
  readonly animated: boolean;
  /** What could not be kept, as sentences for people. */
  readonly notes: readonly string[];
}

/** How a result was made: time, tiles, exactness and memory. */
export interface Diagnostics extends Omit<UpscaleReport, 'backend'> {
  /** Why no GPU was used, for people; null if one was used, or none was wanted. */
  readonly noGpu: string | null;
  /**
   * Milliseconds per stage. Stages that were not needed are absent. Encoding strip by strip is part
   * of `upscale`.
   */
  readonly timings: Readonly<Partial<Record<Stage, number>>>;
  /** Which models `model: 'auto'` chose, and why; absent for other requests. */
  readonly auto?: AutoChoice | undefined;
}

export interface UpscaleOutput<Image = ImageBitmap | Blob> {
  /**
   * A bitmap for the output `bitmap`, otherwise a file; null if it was written to a target. Close
   * the bitmap when you no longer need it. A file of more than 64 MiB may be in the origin private
   * file system. It can be read until the upscaler is destroyed or the page is left.
   */
  readonly image: Image;
  /** Size of the file; null for a bitmap. */
  readonly bytes: number | null;
  /** The requested small picture of the result. Close it when you no longer need it. */
  readonly preview: ImageBitmap | null;
  readonly width: number;
  readonly height: number;
  readonly inputWidth: number;
  readonly inputHeight: number;
  readonly source: SourceFacts;
  /** The first model that ran; null for Lanczos, which is not a network. */
  readonly model: string | null;
  /**
   * Models in the order of their runs. If there is more than one, the image was enlarged several
   * times. Later runs work on the output of the run before: they add size, but no true detail.
   */
  readonly passes: readonly string[];
  /** The total enlargement by networks. A resize makes up the difference to the size. */
  readonly networkScale: number;
  /** What did the work. */
  readonly backend: 'webgpu' | 'cpu' | 'lanczos';
  readonly adapter: AdapterReport | null;
  readonly diagnostics: Diagnostics;
}

/** An upscale request with every default filled in and every value checked. */
export interface UpscalePlan {
  /** Null for the default models. */
  readonly model: string | null;
  /** Whether the fast models take the place of the best ones where those would take long. */
  readonly auto: boolean;
  /** The model's own. */
  readonly scale: number;
  /** A size that the model's scale does not give; null for the model's scale. */
  readonly wish: SizeWish | null;
  /** The part of the image that is enlarged, in its pixels; null: all of it. */
  readonly region: Rect | null;
  /** Null for the network. */
  readonly method: Method | null;
  /** Bits per sample of the result; null: the source's, if the output can have them. */
  readonly depth: Depth | null;
  readonly output: OutputFormat;
  /** 0 to 1. */
  readonly quality: number;
  readonly metadata: Metadata;
  /** Longest side of a small picture of the result; null for no picture. */
  readonly preview: number | null;
  readonly tiling: Tiling;
  /** Whether the page must be asked before a long job on the CPU. */
  readonly asks: boolean;
}

/** How a network runs over an image. */
export type Tiling = Pick<UpscaleOptions, 'tileSize' | 'edge'>;

/** Information about a weight file besides its bytes. */
export interface AddOptions {
  /** Needed if the file does not determine it: x2 and x3 of some networks have the same layers. */
  readonly scale?: number | undefined;
  /** Used if neither the file nor its name determines the scale. */
  readonly likelyScale?: number | undefined;
  /** Largest value of the network's input, if it is not the usual 1 or 255. */
  readonly inputRange?: number | undefined;
  /** What a network of scale 1 is for, if the file's name does not say. */
  readonly task?: Task | undefined;
  /**
   * Hashes of the file, such as `sha256-` and base64, as for the elements of a page. A file with
   * another hash is refused.
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
  /** Size of the image that the network saw, in pixels. */
  readonly width: number;
  readonly height: number;
  /** The part of the image that was inspected, in its pixels. */
  readonly region: Rect;
  /**
   * Each pixel that the network saw is the mean of a square with this side; 1 for the pixels of the
   * image.
   */
  readonly reduction: number;
  /** Duration of the run, without decoding and download. */
  readonly milliseconds: number;
}

/** What to inspect, with every value checked. */
export interface InspectPlan {
  readonly model: string;
  /** Null for the whole image. */
  readonly region: Rect | null;
  readonly maxPixels: number;
}

/** Instead of a model's id: the best or the fast models. No model has this id. */
export const AUTO = 'auto';

/** Prefix of the ids of added models; ids in the manifest never have it. */
export const ADDED_PREFIX = 'own-';

/** An added weight file, and what it was recognised as. */
export interface AddedModel {
  /** The value for `model` of a request. */
  readonly id: string;
  /** The file's name, without its extension. */
  readonly name: string;
  readonly architecture: string;
  /** `restore`: a network of scale 1, which does any task but `upscale`. */
  readonly task: AddedTask;
  readonly scale: number;
  readonly scaleSource: 'shapes' | 'name' | 'option' | 'default';
  readonly inputRange: number;
  /** What the file does not say, with the usual values that were taken, as sentences. */
  readonly assumptions: readonly string[];
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy';
  readonly parameters: number;
  readonly bytes: number;
  /** Hash of the file; empty in insecure contexts. */
  readonly sha256: string;
  /** Milliseconds since 1970. */
  readonly added: number;
  /** False if it is only in memory, until the page is left. */
  readonly kept: boolean;
}

/** A source in the form that is sent to the worker; bitmaps and pixels are transferred. */
export type WireSource =
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'bitmap'; readonly bitmap: ImageBitmap }
  | { readonly kind: 'pixels'; readonly image: Rgba8Image }
  | { readonly kind: 'mosaic'; readonly mosaic: BayerMosaic };

/** How networks run on the CPU. */
export interface CpuReport {
  /**
   * WebAssembly, or `loops`: plain JavaScript, which is a hundred times as slow, for images up to
   * 128x128.
   */
  readonly code: 'relaxed-simd' | 'simd' | 'loops';
  /** The threads that a job may use. */
  readonly threads: number;
  /** Whether they share memory, as in cross-origin isolated pages. */
  readonly shared: boolean;
}

export interface WireDetection {
  readonly adapter: AdapterReport | null;
  readonly reason: SerializedError | null;
  /** Null if the GPU does the work. */
  readonly cpu: (CpuReport & { readonly reason: SerializedError | null }) | null;
}

/**
 * Comlink only keeps name, message and stack of an error, so codes and hints are sent as a value.
 */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: SerializedError };

export interface WorkerConfig {
  /** The shipped models. The page has the list anyway, so the worker does not include it. */
  readonly files: readonly ModelFile[];
  /** Absolute URL of the folder of weight files. */
  readonly baseUrl: string;
  /** Absolute URLs of weight files in other places, by file name. */
  readonly packaged: Readonly<Record<string, string>>;
  /** Whether to keep weights in the Cache API. */
  readonly cache: boolean;
  /** Bytes of memory for a job; null: the engine's default. */
  readonly memoryBudget: number | null;
  readonly backend: BackendChoice;
  /** Threads on the CPU; null for all cores except one. */
  readonly threads: number | null;
  readonly precision: Precision;
  readonly tune: TuneMode;
  /** Name of a lock that the worker holds while it lives; null for no lock. */
  readonly lifeline: string | null;
  readonly visible: boolean;
}

/**
 * How the fastest kernels are chosen: by a table of adapter families (`off`), by a short
 * measurement after the first image (`quick`), or by a long measurement on first use (`full`).
 */
export type TuneMode = 'off' | 'quick' | 'full';

/**
 * A message from the worker in addition to comlink's own messages. Comlink ignores it, because it
 * has no `id`. It uses the same port as the results, so progress never arrives after the end of its
 * job.
 */
export interface ProgressEvent {
  readonly job: number;
  readonly progress: UpscaleProgress;
}

/** Posted in the same way when a job asks whether to continue. `WorkerApi.answer` answers. */
export interface QuestionEvent {
  readonly job: number;
  /** Milliseconds that the job would take. */
  readonly question: number;
}

/**
 * Sent to a worker to turn it into a thread that serves the other end of the port. A worker that
 * cannot start another worker sends it to the page, which can.
 */
export interface ThreadEvent {
  readonly thread: MessagePort;
}

/** The worker's interface. The page chooses job ids, which are unique per worker. */
export interface WorkerApi {
  /** Must come first. Resolves when the worker holds its lock. */
  configure(config: WorkerConfig): Promise<void>;
  /** Shows that the worker is there. */
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
  /** A weight file, or its URL. */
  addModel(
    id: number,
    file: Blob | string,
    name: string,
    options: AddOptions,
  ): Promise<Result<AddedModel>>;
  models(): Promise<Result<AddedModel[]>>;
  removeModel(model: string): Promise<Result<null>>;
  exportModel(model: string, f16: boolean): Promise<Result<Blob>>;
  /** Answers whether the asking job is to continue. */
  answer(id: number, yes: boolean): void;
  /** Ends a job, queued or running, with `ABORTED`; no effect on any other id. */
  cancel(id: number): void;
  setVisible(visible: boolean): void;
}
