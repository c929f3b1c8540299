/**
 * What page and worker say to each other. Types and constants only, compiled on both sides: nothing
 * here may need the DOM or the worker's globals.
 */

import type { ModelFile } from '../catalog/files.ts';
import type { AddedTask, Task } from '../catalog/task.ts';
import type { OutputType } from '../codecs/formats.ts';
import type { Precision } from '../engine/tune/precision.ts';
import type { AdapterReport, UpscaleOptions, UpscaleReport } from '../engine/types.ts';
import type { SerializedError } from '../errors.ts';
import type { BayerMosaic } from '../image/bayer.ts';
import type { Depth, Rgba8Image } from '../image/image.ts';
import type { SizeWish } from '../image/size.ts';
import type { ImageTags } from '../image/tags.ts';

/**
 * Largest LR image, in pixels, that is enlarged without a GPU and without WebAssembly: plain loops reach
 * about 1 GFLOP/s, A2N costs 2.1 MFLOP per LR pixel at x2 and more than twice that at x4.
 */
export const CPU_MAX_PIXELS = 128 * 128;

/** An image, or a file of it. */
export type OutputFormat = 'bitmap' | OutputType;

/** Where a result is written as it is made: a file that somebody chose, or a stream. */
export type UpscaleTarget = FileSystemFileHandle | WritableStream<Uint8Array>;

/** Who makes the result: networks, or a plain resize. */
export type Method = 'network' | 'lanczos';

/**
 * What runs networks: `auto`, a GPU where there is one, else the processor; `webgpu`, a GPU or a software
 * adapter; `cpu`, the processor.
 */
export type BackendChoice = 'auto' | 'webgpu' | 'cpu';

/** A job that would take longer asks first. */
export const LONG_MS = 60_000;

export type Stage = 'decode' | 'download' | 'prepare' | 'upscale' | 'encode';

export interface UpscaleProgress {
  readonly stage: Stage;
  /** Of the whole job, 0 to 1, never falling. */
  readonly fraction: number;
  /** Milliseconds to the end of the job; null until there is something to measure by. */
  readonly remainingMs: number | null;
}

/** What becomes of EXIF and XMP: kept, upright and without sizes and thumbnail, or dropped. */
export type Metadata = 'keep' | 'drop';

/** What a source was found to be. */
export interface SourceFacts {
  /** Of a file, such as `JPEG`; null for an element, a bitmap or pixels. */
  readonly format: string | null;
  /** Bits per sample that its pixels were read with. */
  readonly depth: Depth;
  /** What its values and those of the result mean; `other`: what the file of the result says. */
  readonly colorSpace: ImageTags['colorSpace'];
  /** The file had a profile, which files of the result have too. */
  readonly hasProfile: boolean;
  /** There is EXIF or XMP to be kept. */
  readonly hasMetadata: boolean;
  /** Every pixel is grey, and so are those of the result. */
  readonly grey: boolean;
  /** An animation: the first frame was enlarged. */
  readonly animated: boolean;
  /** What could not be kept, as sentences for people. */
  readonly notes: readonly string[];
}

/** How a result came about, for logs and reports of errors. */
export interface Diagnostics extends Omit<UpscaleReport, 'backend'> {
  readonly backend: UpscaleOutput['backend'];
  /** Why no GPU did the work, for people; null where one did, or none was wanted. */
  readonly noGpu: string | null;
  /**
   * Milliseconds per stage; none of a stage that was not needed. What is written strip by strip is
   * encoded meanwhile, and counts as `upscale`.
   */
  readonly timings: Readonly<Partial<Record<Stage, number>>>;
}

export interface UpscaleOutput<Image = ImageBitmap | Blob> {
  /**
   * A bitmap for the output `bitmap`, else a file; null where it was written to a target. Close the
   * bitmap when it is done with. A file of more than 64 MiB may lie in the origin private file system;
   * it can be read until the upscaler is destroyed or the page is left.
   */
  readonly image: Image;
  /** Of the file; null for a bitmap. */
  readonly bytes: number | null;
  /** The small picture of the result that was asked for, yours to close. */
  readonly preview: ImageBitmap | null;
  readonly width: number;
  readonly height: number;
  readonly inputWidth: number;
  readonly inputHeight: number;
  readonly source: SourceFacts;
  /** The first that ran; null for Lanczos, which is no network. */
  readonly model: string | null;
  /**
   * Models in the order of their runs. More than one: the image was enlarged several times, which
   * gives size; the later runs see what the first one made, and add no true detail.
   */
  readonly passes: readonly string[];
  /** By how much they enlarged in all; what is between that and the size is a resize. */
  readonly networkScale: number;
  /** What did the work. */
  readonly backend: 'webgpu' | 'cpu' | 'lanczos';
  readonly adapter: AdapterReport | null;
  /** Of the enlargement itself, without decoding, download and encoding. */
  readonly milliseconds: number;
  /** 1: the image was processed whole. */
  readonly tiles: number;
  /** `estimated`: the network's image-wide statistics come from parts of the image. */
  readonly statistics: 'exact' | 'estimated';
  /** True if tiles overlap by less than the network's reach. */
  readonly approximate: boolean;
  /** Bytes of GPU buffers, weights included. */
  readonly gpuBytes: number;
  readonly diagnostics: Diagnostics;
}

/** An upscale request with every default filled in and every value checked. */
export interface UpscalePlan {
  /** Null: the default models. */
  readonly model: string | null;
  /** The model's own. */
  readonly scale: number;
  /** A size that the model does not make of itself; null: its scale. */
  readonly wish: SizeWish | null;
  /** Null: the network. */
  readonly method: Method | null;
  /** Bits per sample of the result; null: the source's where the output can have them. */
  readonly depth: Depth | null;
  readonly output: OutputFormat;
  /** 0 to 1. */
  readonly quality: number;
  readonly metadata: Metadata;
  /** Longest side of a small picture of the result; null: none. */
  readonly preview: number | null;
  readonly tiling: Tiling;
  /** Whether the page wants to be asked before a long job on the CPU. */
  readonly asks: boolean;
}

/** How a network is run over an image. */
export type Tiling = Pick<UpscaleOptions, 'tileSize' | 'edge'>;

/** What somebody knows of a weight file beside its bytes. */
export interface AddOptions {
  /** Where the file cannot tell: x2 and x3 of some networks have the same layers. */
  readonly scale?: number | undefined;
  /** Taken where neither the file nor its name tells the scale. */
  readonly likelyScale?: number | undefined;
  /** Largest value of the network's input, where it is not the usual 1 or 255. */
  readonly inputRange?: number | undefined;
  /** What a network of scale 1 is for, where the file's name does not tell. */
  readonly task?: Task | undefined;
}

/** Ids of added models begin with this; those of the manifest never do. */
export const ADDED_PREFIX = 'own-';

/** A weight file that somebody added, and what it was found to be. */
export interface AddedModel {
  /** To be used as `model` of a request. */
  readonly id: string;
  /** Of the file, without its extension. */
  readonly name: string;
  readonly architecture: string;
  /** `restore`: a network of scale 1, which serves any task but `upscale`. */
  readonly task: AddedTask;
  readonly scale: number;
  readonly scaleSource: 'shapes' | 'name' | 'option' | 'default';
  readonly inputRange: number;
  /** What the file does not hold and was taken as usual, for people. */
  readonly assumptions: readonly string[];
  readonly format: 'safetensors' | 'torch-zip' | 'torch-legacy';
  readonly parameters: number;
  readonly bytes: number;
  /** Of the file; empty in insecure contexts. */
  readonly sha256: string;
  /** Milliseconds since 1970. */
  readonly added: number;
  /** False: in memory only, until the page is left. */
  readonly kept: boolean;
}

/** A source as it crosses to the worker; bitmaps and pixels are transferred. */
export type WireSource =
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'bitmap'; readonly bitmap: ImageBitmap }
  | { readonly kind: 'pixels'; readonly image: Rgba8Image }
  | { readonly kind: 'mosaic'; readonly mosaic: BayerMosaic };

/** How networks run on the processor. */
export interface CpuReport {
  /** WebAssembly, or `loops`: plain JavaScript, a hundred times as slow, for images up to 128x128. */
  readonly code: 'relaxed-simd' | 'simd' | 'loops';
  /** Those that a job may use. */
  readonly threads: number;
  /** Whether they share memory, as in cross-origin isolated pages. */
  readonly shared: boolean;
}

export interface WireDetection {
  readonly adapter: AdapterReport | null;
  readonly reason: SerializedError | null;
  /** Null where the GPU does the work. */
  readonly cpu: (CpuReport & { readonly reason: SerializedError | null }) | null;
}

/** Comlink keeps of an error only name, message and stack: codes and hints travel as a value. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: SerializedError };

export interface WorkerConfig {
  /** The shipped models: the page has the list anyway, so the worker goes without. */
  readonly files: readonly ModelFile[];
  /** Absolute URL of the folder of weight files. */
  readonly baseUrl: string;
  /** Absolute URLs of weight files that lie elsewhere, by file name. */
  readonly packaged: Readonly<Record<string, string>>;
  /** Keep weights in the Cache API. */
  readonly cache: boolean;
  /** Bytes of memory for a job; null: the engine's default. */
  readonly memoryBudget: number | null;
  readonly backend: BackendChoice;
  /** On the CPU; null: all cores but one. */
  readonly threads: number | null;
  readonly precision: Precision;
  /** Measure variants of kernels once per adapter. */
  readonly tune: boolean;
  /** Name of a lock that the worker holds as long as it lives; null: no lock. */
  readonly lifeline: string | null;
  readonly visible: boolean;
}

/**
 * What the worker posts beside comlink's own messages, which comlink passes over since it has no
 * `id`. On the same port as the results, so that no progress comes after the end of its job.
 */
export interface ProgressEvent {
  readonly job: number;
  readonly progress: UpscaleProgress;
}

/** Posted likewise: a job wants to know whether it may go on. `WorkerApi.answer` answers. */
export interface QuestionEvent {
  readonly job: number;
  /** Milliseconds that it would take. */
  readonly question: number;
}

/** Sent to a worker to make a thread of it, which serves the other end of the port. */
export interface ThreadEvent {
  readonly thread: MessagePort;
}

/** What the worker exposes. Job ids are the page's, unique per worker. */
export interface WorkerApi {
  /** Comes first. Resolves when the worker holds its lock. */
  configure(config: WorkerConfig): Promise<void>;
  detect(): Promise<Result<WireDetection>>;
  preload(id: number, model: string): Promise<Result<null>>;
  upscale(
    id: number,
    source: WireSource,
    plan: UpscalePlan,
    target: UpscaleTarget | OffscreenCanvas | null,
  ): Promise<Result<UpscaleOutput<ImageBitmap | Blob | null>>>;
  estimateCpu(plan: UpscalePlan, width: number, height: number): Promise<Result<number>>;
  encode(
    image: ImageBitmap | Blob,
    type: OutputType,
    quality: number,
    metadata: Metadata,
  ): Promise<Result<Blob>>;
  /** A weight file, or its address. */
  addModel(
    id: number,
    file: Blob | string,
    name: string,
    options: AddOptions,
  ): Promise<Result<AddedModel>>;
  models(): Promise<Result<AddedModel[]>>;
  removeModel(model: string): Promise<Result<null>>;
  exportModel(model: string, f16: boolean): Promise<Result<Blob>>;
  /** Whether the job that asked goes on. */
  answer(id: number, yes: boolean): void;
  /** Ends a job, queued or running, with `ABORTED`; no effect on any other id. */
  cancel(id: number): void;
  setVisible(visible: boolean): void;
}
