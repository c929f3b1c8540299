import type { Size, Tile } from '../../geometry.ts';
import type { NodeId } from '../../graph/graph.ts';
import type { ElementType, Grid, Kernel, Params } from '../../kernels/kernel.ts';
import type { NetworkWeights } from './weights.ts';

export type ResourceId = number;

/** A buffer that steps write and read: a node's value, the sums of a pooling, or pixels. */
export interface Resource {
  readonly name: string;
  /** Bytes for tiles of `size` LR pixels, overlap included. */
  readonly bytes: (size: Size) => number;
  /** Whether it has a buffer of its own instead of a shared slot. */
  readonly external: boolean;
}

/**
 * A tile within the image, or within the part of it that the source resource holds; in LR pixels.
 */
export interface TileView extends Tile {
  readonly image: Size;
  /** What each workgroup of the last kernel adds to the status word; default 1. */
  readonly mark?: number | undefined;
  /** The tile's position in the whole image, for steps that need it. */
  readonly place?: { readonly x: number; readonly y: number };
}

/** A resource, or a part of it. */
export interface Stored {
  readonly resource: ResourceId;
  readonly part?: Part | undefined;
}

/** Consecutive blocks of a map's channels. */
export interface Part {
  readonly first: number;
  readonly blocks: number;
  /** Bytes of a block, for tiles of `size` LR pixels. */
  readonly bytes: (size: Size) => number;
}

export type Operand =
  | Stored
  /** Key of `Program.constants`. */
  | { readonly constant: string };

/** The part of a step that reads a pooling's sums over parts of the image. */
export interface Sums {
  /** Index in `reads`: [count][blocks] vec4f. */
  readonly operand: number;
  readonly blocks: number;
  /** Names of the uniform's words for the number of sums and for the total number of pixels. */
  readonly count: string;
  readonly pixels: string;
}

/** One dispatch. Sizes are those of the map at the step's `scale`: LR size times scale. */
export interface Step {
  readonly name: string;
  readonly kernel: Kernel;
  /** The contents of the kernel's read bindings in order, then of its write bindings. */
  readonly reads: readonly Operand[];
  readonly writes: readonly ResourceId[];
  /**
   * Given if the step ends a pooling. Its sums may be replaced with those of a larger image
   * (statistics.ts).
   */
  readonly sums?: Sums;
  readonly scale: number;
  readonly grid: (size: Size, tile: TileView) => Grid;
  /** The uniform's words by name. */
  readonly params: (size: Size, tile: TileView) => Params;
  readonly multiplyAdds: number;
  /**
   * Estimated cost per LR pixel in multiply-adds, including memory traffic; only for scheduling.
   */
  readonly work: number;
  /** The step's share of that cost at a size; default 1. */
  readonly share?: (size: Size) => number;
}

/** A graph lowered to dispatches: plain data, no device involved. */
export interface Program {
  readonly element: ElementType;
  readonly resources: readonly Resource[];
  readonly steps: readonly Step[];
  /**
   * Weights that are packed when a model is uploaded. Those of convolutions have the element type.
   */
  readonly constants: ReadonlyMap<string, ConstantSpec>;
  readonly input: ResourceId;
  readonly resourceOf: ReadonlyMap<NodeId, ResourceId>;
  /** Resources that hold pixels, if the program converts images to images. */
  readonly image: ImageResources | null;
}

export interface ImageResources {
  /** The part of the LR image that the tile reads; external. */
  readonly source: ResourceId;
  /** The tile's core, enlarged. */
  readonly packed: ResourceId;
  /** Bytes of a pixel: 4, or 8 for 16 bits per sample. */
  readonly pixelBytes: number;
  /**
   * Two u32; external. The first becomes 1 if a value was not finite; each workgroup of the last
   * kernel adds the tile's mark to the second.
   */
  readonly status: ResourceId;
}

export interface ConstantSpec {
  readonly pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>;
  readonly element: ElementType;
}
