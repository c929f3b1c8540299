import type { Size, Tile } from '../../geometry.ts';
import type { NodeId } from '../../graph/graph.ts';
import type { ElementType, Grid, Kernel, Params } from '../../kernels/kernel.ts';
import type { NetworkWeights } from './weights.ts';

export type ResourceId = number;

/** A buffer for pixels, a node's value, or intermediate results such as sums for pooling. */
export interface Resource {
  readonly name: string;
  /**
   * Returns the resource's size in bytes for a tile. The tile's `size`, in LR pixels, includes the
   * overlap.
   */
  readonly bytes: (size: Size) => number;
  /** Whether the resource has its own buffer. If not, it can share a buffer with others. */
  readonly external: boolean;
}

/**
 * A tile in LR pixels. Its coordinates are relative to the top left corner of the image, or of the
 * part of the image that is on the GPU (`ImageResources.source`).
 */
export interface TileView extends Tile {
  readonly image: Size;
  /**
   * The number that each workgroup of the last kernel adds to the second word of
   * `ImageResources.status`. The sum shows whether all workgroups have run. The default is 1.
   */
  readonly mark?: number | undefined;
  /**
   * The position of the tile's source in the whole image. The step `blend` in `averagedModel.ts`
   * needs it to average overlapping tiles.
   */
  readonly place?: { readonly x: number; readonly y: number };
}

/** A resource or a part of a resource. */
export interface Stored {
  readonly resource: ResourceId;
  readonly part?: Part | undefined;
}

/** A part of a map that consists of consecutive blocks of four channels. */
export interface Part {
  readonly first: number;
  readonly blocks: number;
  /** Returns a block's size in bytes for a tile. The tile's `size` is in LR pixels. */
  readonly bytes: (size: Size) => number;
}

export type Operand =
  | Stored
  /** A key of `Program.constants`. */
  | { readonly constant: string };

/**
 * Describes the partial sums from which a step computes the result of a pooling op. Each partial
 * sum covers one part of the map.
 */
export interface Sums {
  /**
   * The index in `Step.reads` of the operand that contains the partial sums. The operand is an
   * array [count][blocks] of vec4f.
   */
  readonly operand: number;
  readonly blocks: number;
  /** The name of the uniform field that contains the number of partial sums. */
  readonly count: string;
  /** The name of the uniform field that contains the number of pixels in the map. */
  readonly pixels: string;
}

/**
 * One dispatch. The `size` that `grid` and `params` receive is the tile's size in LR pixels
 * multiplied by `scale`.
 */
export interface Step {
  readonly name: string;
  readonly kernel: Kernel;
  /**
   * The operands for the kernel's read bindings, in order. The write bindings come after the read
   * bindings.
   */
  readonly reads: readonly Operand[];
  readonly writes: readonly ResourceId[];
  /**
   * Set if the step completes a pooling op. When an image is processed in tiles, the step reads the
   * mean of the whole image instead of the partial sums (see `statistics.ts`).
   */
  readonly sums?: Sums;
  readonly scale: number;
  readonly grid: (size: Size, tile: TileView) => Grid;
  /** Returns the values of the kernel's uniform fields, by name. */
  readonly params: (size: Size, tile: TileView) => Params;
  readonly multiplyAdds: number;
  /**
   * The estimated cost per LR pixel in multiply-adds, including memory traffic. It is only used for
   * scheduling.
   */
  readonly work: number;
  /** Returns the fraction of `work` that a step does for tiles of this size. The default is 1. */
  readonly share?: (size: Size) => number;
}

/** A graph lowered to dispatches. It does not refer to a device. */
export interface Program {
  readonly element: ElementType;
  readonly resources: readonly Resource[];
  readonly steps: readonly Step[];
  /**
   * The weights, which are packed when a model is uploaded. Convolution weights have the program's
   * element type.
   */
  readonly constants: ReadonlyMap<string, ConstantSpec>;
  readonly input: ResourceId;
  readonly resourceOf: ReadonlyMap<NodeId, ResourceId>;
  /** The resources that hold pixels; null if the program's input and output are feature maps. */
  readonly image: ImageResources | null;
}

export interface ImageResources {
  /** An external resource that holds the part of the LR image from which a tile is computed. */
  readonly source: ResourceId;
  /** The upscaled core of the tile. */
  readonly packed: ResourceId;
  /** The bytes per pixel: 4 for 8 bits per sample, or 8 for 16 bits per sample. */
  readonly pixelBytes: number;
  /**
   * An external resource that contains two u32 values. The first becomes 1 if any value of the
   * result is NaN or infinite. Each workgroup of the last kernel adds `TileView.mark` to the second
   * value. The engine compares this sum with the expected sum to check that all workgroups ran.
   */
  readonly status: ResourceId;
}

export interface ConstantSpec {
  readonly pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>;
  readonly element: ElementType;
}
