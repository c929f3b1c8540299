import type { Rect } from '../geometry.ts';
import type { Rgba8Image, RgbaImage } from '../image/image.ts';
import type { MatrixUnit } from '../kernels/conv/convMatrix.ts';
import type { ElementType } from '../kernels/kernel.ts';

/** Information about the GPU. Strings that the browser does not provide are empty. */
export interface AdapterReport {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /**
   * Whether this is a software adapter (SwiftShader, lavapipe, WARP). Its results are correct, but
   * it is slow.
   */
  readonly isFallbackAdapter: boolean;
  readonly features: readonly string[];
  /** The subgroup matrices that kernels can use, if there are any. */
  readonly matrix?: MatrixUnit | undefined;
}

/** The progress of a job. `fraction` runs from 0 to 1 and never decreases within one job. */
export interface Progress {
  readonly fraction: number;
  /** The estimated time left in milliseconds, or null while it is unknown. */
  readonly remainingMs: number | null;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface UpscaleOptions extends RunOptions {
  /**
   * The maximum side length of a tile in LR pixels, excluding overlap. The default is the largest
   * side length that fits the memory budget.
   */
  readonly tileSize?: number | undefined;
  /** How many bytes of GPU buffers the job may allocate. The default is the engine's budget. */
  readonly memoryBudget?: number | undefined;
  /**
   * The pixels that a network reads beyond the image. `zero`: zeros, as in training. `replicate`:
   * the pixels of the border. `wrap`: the pixels of the opposite side, for textures that tile. The
   * default is `zero`.
   */
  readonly edge?: Edge | undefined;
  /**
   * This option applies when a network runs in tiles and uses whole-image statistics. `exact` (the
   * default) takes the statistics from the whole image if there is enough memory. `estimated`
   * always takes them from parts of the image.
   */
  readonly statistics?: 'exact' | 'estimated' | undefined;
  /**
   * A function that records GPU commands that use a tile's result. Until these commands have
   * finished, `packed` contains the tile's pixels row by row, one RGBA u32 per pixel. If this
   * function is given, results are not read back from the GPU, and the strips that the sink
   * receives contain no pixels.
   */
  readonly draw?: Draw | undefined;
  /**
   * Returns the GPU time that a submission should take, in milliseconds. The engine calls this
   * function before each submission. The default is 8.
   */
  readonly submitMs?: (() => number) | undefined;
  /**
   * Contains the number of result rows that the sink has already taken. The job does not deliver
   * these rows again, and updates the number after each strip.
   */
  readonly checkpoint?: Checkpoint | undefined;
}

/** Records how much of a job has finished, so that the job can continue on another device. */
export interface Checkpoint {
  /** The number of result rows that the sink has taken. */
  rows: number;
}

/**
 * A problem from which a job recovered. `device-lost`: the device was lost and replaced.
 * `f16-overflow`: values were too large for f16, so the job switched to f32. `f16-blank`: in f16,
 * the model gave the whole image a single colour, so the job switched to f32.
 */
export type Recovery = 'device-lost' | 'f16-overflow' | 'f16-blank';

type Draw = (encoder: GPUCommandEncoder, packed: GPUBuffer, core: Rect) => void;

/** The pixels that a network reads beyond the border of an image. */
export type Edge = 'zero' | 'replicate' | 'wrap';

/** Describes how a result was computed. */
export interface UpscaleReport {
  readonly backend: 'webgpu' | 'cpu';
  /** The time for the upscaling alone, excluding decoding, downloads and encoding. */
  readonly milliseconds: number;
  /** The number of tiles. It is 1 if the image was not cut into tiles. */
  readonly tiles: number;
  /** The width and height of the largest tile in LR pixels, overlap included. */
  readonly tileSize: readonly [number, number];
  /**
   * `exact`: the image statistics that the network uses, such as the means of feature maps, come
   * from the whole image, or the network uses none. `estimated`: they come from parts of the image,
   * because there was too little memory for the whole image or because the caller requested it. All
   * tiles use the same statistics (ARCHITECTURE.md, Tiles and memory).
   */
  readonly statistics: 'exact' | 'estimated';
  /**
   * True if tiles overlap by less than the network's reach, because the full overlap would be
   * impractical. Pixels near the seams then differ slightly from those of a result that was
   * computed without tiles (ARCHITECTURE.md, Tiles and memory).
   */
  readonly approximate: boolean;
  /** The peak total size in bytes of this job's GPU buffers, including weights. */
  readonly gpuBytes: number;
  readonly dispatches: number;
  /** The element type of maps and weights in memory. */
  readonly precision: ElementType;
  /** The number of CPU threads. It is absent on a GPU. */
  readonly threads?: number | undefined;
  /**
   * True if some ops ran on the CPU in plain JavaScript loops, which take about a hundred times as
   * long as WebAssembly.
   */
  readonly slow?: boolean | undefined;
  /**
   * The problems from which the job recovered, in order. The list is empty or absent if nothing
   * went wrong.
   */
  readonly recovered?: readonly Recovery[];
}

/** Full-width rows of the result. */
export type Strip = RgbaImage & {
  /** The position of the strip's first row in SR pixels. */
  readonly y: number;
};

/**
 * Takes the strips of a result from top to bottom. The sink owns their data. If the sink returns a
 * promise, the next strip is delivered only after that promise has settled.
 */
export type StripSink = (strip: Strip) => Promise<void> | void;

export interface UpscaleResult<T extends RgbaImage = Rgba8Image> {
  readonly image: T;
  readonly report: UpscaleReport;
}

/**
 * The result of one node, recorded while a network ran. Like the tensors in the golden files of the
 * tests, it is planar, row-major and f32.
 */
export interface TracedTensor {
  /** [channels, height, width] for a feature map, [length] for a vector. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
