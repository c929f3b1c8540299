/** The interface that all contenders implement, and the row of results for each contender. */
import type { Rgba8Image } from '../src/image/image.ts';
import type { Network } from '../src/networks/network.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import type { PlanCost } from './plan.ts';

export const CRISPEN_ENGINES = ['crispen-fused', 'crispen-unfused', 'crispen-f16'] as const;
export const RIVALS = ['ort-webgpu', 'ort-wasm', 'tfjs-webgpu'] as const;
/** The engines that the page can run. `crispen-cpu` and `ort-wasm` run without a GPU. */
export const ENGINES = [...CRISPEN_ENGINES, 'crispen-cpu', ...RIVALS] as const;
export type EngineId = (typeof ENGINES)[number];

/** The task, which is the same for every contender. The image is opaque. */
export interface Task {
  readonly network: Network;
  readonly weights: TensorMap;
  readonly image: Rgba8Image;
  /** When this signal fires, a contender stops its work on the task as soon as possible. */
  readonly signal?: AbortSignal | undefined;
}

/** Receives the completed fraction, from 0 to 1. */
export type OnProgress = (done: number) => void;

export interface Contender {
  readonly engine: EngineId;
  readonly precision: 'f32' | 'f16';
  /** The number of CPU threads; absent for an engine that runs on the GPU. */
  readonly threads?: number;
  /** Prepares everything before the first run: opens the device, loads the weights and compiles. */
  open(task: Task): Promise<Runner>;
}

export interface Runner {
  /** Enlarges the image, from memory to memory. */
  run(onProgress?: OnProgress): Promise<void>;
  /** Returns the output of `run`: planar (chw), unclamped, in units of 0..1. */
  output(onProgress?: OnProgress): Promise<Float32Array>;
  /** The planned cost, if there is a plan. For CPU engines, the graph's multiply-adds. */
  readonly cost?: Partial<PlanCost>;
  close(): Promise<void>;
}

/** One engine's result at one size, in the form that `--json` prints. */
export interface Row {
  readonly engine: EngineId;
  readonly precision: 'f32' | 'f16';
  /** The number of CPU threads. */
  readonly threads?: number;
  /** The family, such as `a2n`. */
  readonly network: string;
  readonly scale: number;
  /** The size of the LR image. */
  readonly width: number;
  readonly height: number;
  /** The median milliseconds per run. Runs are interleaved with the other engines' runs. */
  readonly medianMs: number | null;
  /** Milliseconds from weights in memory to the first result, including compilation. */
  readonly firstMs: number | null;
  /** The peak total size of all buffers and textures in bytes, including weights. */
  readonly gpuBytes: number | null;
  readonly dispatches: number | null;
  /** The largest difference from the output of `crispen-unfused`, in units of 0..1. */
  readonly maxAbsDiff: number | null;
  /** The planned cost per LR pixel. */
  readonly multiplyAddsPerPixel?: number;
  readonly bytesPerPixel?: number;
  /** Billions of products and sums per second on each CPU thread. */
  readonly gflopsPerThread?: number;
  /**
   * The share of the adapter's ceiling, from 0 to 1. For CPU engines, the ceiling is that of as
   * many cores as there are threads.
   */
  readonly multiplyAddShare?: number;
  readonly bandwidthShare?: number;
  readonly error?: string;
}
