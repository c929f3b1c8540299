/** The common interface of the contenders, and the row of results for each. */
import type { Rgba8Image } from '../src/image/image.ts';
import type { Network } from '../src/networks/network.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import type { PlanCost } from './plan.ts';

export const CRISPEN_ENGINES = ['crispen-fused', 'crispen-unfused', 'crispen-f16'] as const;
export const RIVALS = ['ort-webgpu', 'ort-wasm', 'tfjs-webgpu'] as const;
/** The engines of the page. `crispen-cpu` and `ort-wasm` run without a GPU. */
export const ENGINES = [...CRISPEN_ENGINES, 'crispen-cpu', ...RIVALS] as const;
export type EngineId = (typeof ENGINES)[number];

/** The same for every contender. The image is opaque. */
export interface Task {
  readonly network: Network;
  readonly weights: TensorMap;
  readonly image: Rgba8Image;
  /** Ends what a contender does for the task as soon as it can. */
  readonly signal?: AbortSignal | undefined;
}

/** Receives the part that is done, 0 to 1. */
export type OnProgress = (done: number) => void;

export interface Contender {
  readonly engine: EngineId;
  readonly precision: 'f32' | 'f16';
  /** Threads on the CPU; absent for an engine on the GPU. */
  readonly threads?: number;
  /** Everything before the first run: device, weights, compilation in advance. */
  open(task: Task): Promise<Runner>;
}

export interface Runner {
  /** From the image in memory to the enlarged image in memory. */
  run(onProgress?: OnProgress): Promise<void>;
  /** The output of `run`, planar (chw), unclamped, in units of 0..1. */
  output(onProgress?: OnProgress): Promise<Float32Array>;
  /** From a plan, if there is one. CPU engines have the multiply-adds of the graph. */
  readonly cost?: Partial<PlanCost>;
  close(): Promise<void>;
}

/** One engine at one size; the form of `--json`. */
export interface Row {
  readonly engine: EngineId;
  readonly precision: 'f32' | 'f16';
  /** On the CPU. */
  readonly threads?: number;
  /** The family, such as `a2n`. */
  readonly network: string;
  readonly scale: number;
  /** Of the LR image. */
  readonly width: number;
  readonly height: number;
  /** Milliseconds from image to image, interleaved with the other engines. */
  readonly medianMs: number | null;
  /** Milliseconds from weights in memory to the first result, compiling included. */
  readonly firstMs: number | null;
  /** The most bytes of buffers and textures held at once, weights included. */
  readonly gpuBytes: number | null;
  readonly dispatches: number | null;
  /** The largest difference from `crispen-unfused` in units of 0..1. */
  readonly maxAbsDiff: number | null;
  /** From the plan, per LR pixel. */
  readonly multiplyAddsPerPixel?: number;
  readonly bytesPerPixel?: number;
  /** Products and sums on the CPU, per thread. */
  readonly gflopsPerThread?: number;
  /** Shares of the adapter's ceilings, 0 to 1, or of the ceiling of as many cores as threads. */
  readonly multiplyAddShare?: number;
  readonly bandwidthShare?: number;
  readonly error?: string;
}
