import type { Rgba8Image, RgbaImage } from '../image/image.ts';
import type { MatrixUnit } from '../kernels/conv/convMatrix.ts';
import type { ElementType } from '../kernels/kernel.ts';

/** What is known of the GPU; empty strings where the browser does not say. */
export interface AdapterReport {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** A software adapter (SwiftShader, lavapipe, WARP): correct, but slow. */
  readonly isFallbackAdapter: boolean;
  readonly features: readonly string[];
  /** Matrices that subgroups multiply, where kernels can use them. */
  readonly matrix?: MatrixUnit | undefined;
}

/** 0 to 1, never falling within one job. */
export interface Progress {
  readonly fraction: number;
  /** Estimated milliseconds to the end; null until there is something to measure by. */
  readonly remainingMs: number | null;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface UpscaleOptions extends RunOptions {
  /** Largest tile side in LR pixels without overlap; default: whatever fits the memory budget. */
  readonly tileSize?: number | undefined;
  /** Bytes of GPU buffers that the job may hold; default: the engine's. */
  readonly memoryBudget?: number | undefined;
  /**
   * What a network sees beyond the image: `zero`, as it was trained; `replicate`, the pixels of the
   * border; `wrap`, those of the other side, so that textures that tile still do. Default `zero`.
   */
  readonly edge?: Edge | undefined;
  /**
   * Of a network with image-wide statistics that runs in tiles. `exact` (the default) takes them from
   * the whole image where the memory allows, `estimated` always from parts of it.
   */
  readonly statistics?: 'exact' | 'estimated' | undefined;
  /**
   * Takes a tile's result on the GPU, in place of its way back: `packed` holds its pixels, row by row,
   * a u32 of RGBA each, until the encoder's commands are done. Strips come empty then.
   */
  readonly draw?: Draw | undefined;
  /** GPU milliseconds per submission, read before each one; default 8. */
  readonly submitMs?: (() => number) | undefined;
}

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

/** How a result came about. */
export interface UpscaleReport {
  readonly backend: 'webgpu' | 'cpu';
  readonly milliseconds: number;
  /** 1: the image was processed whole. */
  readonly tiles: number;
  /** Width and height of the largest tile in LR pixels, overlap included. */
  readonly tileSize: readonly [number, number];
  /**
   * `exact`: image-wide statistics (A2N's branch weights) came from the whole image, or the network
   * has none. `estimated`: from parts of the image, the same for all tiles, since the memory did not
   * suffice for all of it (ARCHITECTURE.md, Tiles and memory).
   */
  readonly statistics: 'exact' | 'estimated';
  /**
   * True if tiles overlap by less than the network's reach, which would be impractical: then pixels
   * near the seams differ a little from those of the whole image (ARCHITECTURE.md, Tiles and memory).
   */
  readonly approximate: boolean;
  /** Bytes of GPU buffers held for this job, weights included. */
  readonly gpuBytes: number;
  readonly dispatches: number;
  /** Of maps and weights in memory. */
  readonly precision: ElementType;
  /** Threads that computed on the CPU; absent on a GPU. */
  readonly threads?: number | undefined;
  /** True if plain loops ran some ops on the CPU, which take a hundred times as long. */
  readonly slow?: boolean | undefined;
}

/** Rows of the result over its full width. */
export type Strip = RgbaImage & {
  /** Of its first row, in SR pixels. */
  readonly y: number;
};

/**
 * Takes the strips of a result from top to bottom; their data is the receiver's to keep. The next
 * strip is not delivered before this one's promise has settled.
 */
export type StripSink = (strip: Strip) => Promise<void> | void;

export interface UpscaleResult<T extends RgbaImage = Rgba8Image> {
  readonly image: T;
  readonly report: UpscaleReport;
}

/** A tensor by name as the goldens have it: planar, row-major, f32. */
export interface TracedTensor {
  /** [channels, height, width] of a feature map, [length] of a vector. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
