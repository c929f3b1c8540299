import type { Rgba8Image, RgbaImage } from '../image/image.ts';
import type { MatrixUnit } from '../kernels/conv/convMatrix.ts';
import type { ElementType } from '../kernels/kernel.ts';

/** Information about the GPU; empty strings if the browser does not say. */
export interface AdapterReport {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** A software adapter (SwiftShader, lavapipe, WARP): correct, but slow. */
  readonly isFallbackAdapter: boolean;
  readonly features: readonly string[];
  /** Subgroup matrices, if kernels can use them. */
  readonly matrix?: MatrixUnit | undefined;
}

/** 0 to 1; never decreases within one job. */
export interface Progress {
  readonly fraction: number;
  /** Estimated milliseconds to the end; null while unknown. */
  readonly remainingMs: number | null;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface UpscaleOptions extends RunOptions {
  /**
   * Largest tile side in LR pixels without overlap; default: the largest that fits the memory
   * budget.
   */
  readonly tileSize?: number | undefined;
  /** Bytes of GPU buffers that the job may hold; default: the engine's. */
  readonly memoryBudget?: number | undefined;
  /**
   * What a network sees beyond the image. `zero`: zeros, as in training. `replicate`: the pixels of
   * the border. `wrap`: the pixels of the opposite side, for textures that tile. Default `zero`.
   */
  readonly edge?: Edge | undefined;
  /**
   * Applies to a network with statistics of the whole image that runs in tiles. `exact` (the
   * default) takes them from the whole image if the memory allows it, `estimated` always from parts
   * of it.
   */
  readonly statistics?: 'exact' | 'estimated' | undefined;
  /**
   * Takes a tile's result on the GPU instead of reading it back. `packed` holds its pixels, row by
   * row, one u32 of RGBA each, until the encoder's commands are done. Strips are empty then.
   */
  readonly draw?: Draw | undefined;
  /** GPU milliseconds per submission, read before each one; default 8. */
  readonly submitMs?: (() => number) | undefined;
  /** Rows that the sink has already taken. The job skips them and keeps this up to date. */
  readonly checkpoint?: Checkpoint | undefined;
}

/** How far a job has come, so it can continue on another device. */
export interface Checkpoint {
  /** Rows of the result that the sink has taken. */
  rows: number;
}

/**
 * What a job recovered from. `device-lost`: the device was lost and replaced. `f16-overflow`:
 * values were too large for f16, so the model ran in f32. `f16-blank`: in f16, the model gave the
 * whole image one colour, so it ran in f32.
 */
export type Recovery = 'device-lost' | 'f16-overflow' | 'f16-blank';

type Draw = (
  encoder: GPUCommandEncoder,
  packed: GPUBuffer,
  core: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  },
) => void;

/** What a network sees beyond the border of an image. */
export type Edge = 'zero' | 'replicate' | 'wrap';

/** How a result was made. */
export interface UpscaleReport {
  readonly backend: 'webgpu' | 'cpu';
  /** Time of the enlargement alone, without decoding, download and encoding. */
  readonly milliseconds: number;
  /** 1: the image was processed whole. */
  readonly tiles: number;
  /** Width and height of the largest tile in LR pixels, overlap included. */
  readonly tileSize: readonly [number, number];
  /**
   * `exact`: the statistics of the whole image (A2N's branch weights) are exact, or the network has
   * none. `estimated`: they come from parts of the image, the same for all tiles, because the
   * memory was too small for all of it (ARCHITECTURE.md, Tiles and memory).
   */
  readonly statistics: 'exact' | 'estimated';
  /**
   * True if tiles overlap by less than the network's reach, because the full overlap would be
   * impractical. Pixels near the seams then differ slightly from those of the whole image
   * (ARCHITECTURE.md, Tiles and memory).
   */
  readonly approximate: boolean;
  /** Bytes of GPU buffers held for this job, weights included. */
  readonly gpuBytes: number;
  readonly dispatches: number;
  /** Element type of maps and weights in memory. */
  readonly precision: ElementType;
  /** Threads on the CPU; absent on a GPU. */
  readonly threads?: number | undefined;
  /** True if some ops ran in plain loops on the CPU, which take a hundred times as long. */
  readonly slow?: boolean | undefined;
  /** In order; empty or absent if nothing went wrong. */
  readonly recovered?: readonly Recovery[];
}

/** Rows of the result over its full width. */
export type Strip = RgbaImage & {
  /** Position of its first row, in SR pixels. */
  readonly y: number;
};

/**
 * Takes the strips of a result from top to bottom. The receiver owns their data. The next strip is
 * only delivered after this one's promise has settled.
 */
export type StripSink = (strip: Strip) => Promise<void> | void;

export interface UpscaleResult<T extends RgbaImage = Rgba8Image> {
  readonly image: T;
  readonly report: UpscaleReport;
}

/** A traced tensor in the layout of the goldens: planar, row-major, f32. */
export interface TracedTensor {
  /** [channels, height, width] for a feature map, [length] for a vector. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
