import type { Size, Tile } from '../../geometry.ts';
import type { NodeId } from '../../graph/graph.ts';
import type { ElementType, Grid, Kernel, Params } from '../../kernels/kernel.ts';
import type { NetworkWeights } from './weights.ts';

export type ResourceId = number;

/** A buffer that steps write and read: a node's value, sums of a pooling, 8-bit pixels. */
export interface Resource {
  readonly name: string;
  /** Bytes for tiles of `size` LR pixels, overlap included. */
  readonly bytes: (size: Size) => number;
  /** Made by whoever runs the program, and not planned into slots. */
  readonly external: boolean;
}

/** A tile within the image, or the part of it, that the source resource holds; in LR pixels. */
export interface TileView extends Tile {
  readonly image: Size;
}

export type Operand =
  | { readonly resource: ResourceId }
  /** Key of `Program.constants`. */
  | { readonly constant: string };

/** What a step takes of a pooling: sums over parts of the image. */
export interface Sums {
  /** Index in `reads`: [count][blocks] vec4f. */
  readonly operand: number;
  readonly blocks: number;
  /** Names of the uniform's words that say how many sums there are, and over how many pixels in all. */
  readonly count: string;
  readonly pixels: string;
}

/** One dispatch. Sizes are of the map at the step's `scale`: LR size times scale. */
export interface Step {
  readonly name: string;
  readonly kernel: Kernel;
  /** What the kernel's read bindings hold, in order; then what its write bindings hold. */
  readonly reads: readonly Operand[];
  readonly writes: readonly ResourceId[];
  /** Where a pooling ends: its sums may be replaced by those of a larger image (statistics.ts). */
  readonly sums?: Sums;
  readonly scale: number;
  readonly grid: (size: Size, tile: TileView) => Grid;
  /** The uniform's words by name. */
  readonly params: (size: Size, tile: TileView) => Params;
  readonly multiplyAdds: number;
  /** Estimated cost per LR pixel in multiply-adds, memory traffic included: for scheduling only. */
  readonly work: number;
  /** The part of that cost that the step has at a size; default 1. */
  readonly share?: (size: Size) => number;
}

/** A graph lowered to dispatches: plain data, no device involved. */
export interface Program {
  readonly element: ElementType;
  readonly resources: readonly Resource[];
  readonly steps: readonly Step[];
  /** Packed weights, made when a model is uploaded. Convolutions' are of the element type. */
  readonly constants: ReadonlyMap<string, ConstantSpec>;
  readonly input: ResourceId;
  readonly resourceOf: ReadonlyMap<NodeId, ResourceId>;
  /** Resources that hold pixels, if the program goes from 8-bit image to 8-bit image. */
  readonly image: ImageResources | null;
}

export interface ImageResources {
  /** The LR image as far as the tile reads it; external. */
  readonly source: ResourceId;
  /** The tile's core, enlarged. */
  readonly packed: ResourceId;
  /** 4, or 8 for 16 bits per sample. */
  readonly pixelBytes: number;
  /** One u32, set to 1 if a value was not finite; external. */
  readonly status: ResourceId;
}

export interface ConstantSpec {
  readonly pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>;
  readonly element: ElementType;
}
