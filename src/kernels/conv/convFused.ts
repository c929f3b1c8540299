import type { Activation } from '../../graph/graph.ts';
import gateSource from '../../shaders/conv/gate.wgsl?raw';
import { activationConstants } from '../activation.ts';
import {
  assemble,
  blocksOf,
  concatFloats,
  contract,
  type ElementType,
  MAP_WORDS,
  type TileColumns,
} from '../kernel.ts';
import { TILE, TILE_SHADERS } from '../tile.ts';
import {
  boundFor,
  type ConvShape,
  convSource,
  packBias,
  packConvWeights,
  plainShape,
} from './conv.ts';

const SHADERS = {
  'conv/gate': gateSource,
  ...TILE_SHADERS,
};

/**
 * A 3x3 convolution followed by pixel attention: `act1(u * sigmoid(w1(u) + b1))` with
 * `u = w3(x) + b3`. `w3` is the 3x3 convolution, and `w1` is the 1x1 convolution.
 */
export interface ConvGateSpec {
  readonly cIn: number;
  readonly cOut: number;
  /**
   * The factor by which the kernel enlarges its input (nearest-neighbour) while reading. It is 1 if
   * the kernel does not enlarge its input.
   */
  readonly upsample: number;
  readonly act1: Activation | null;
  /**
   * The number of columns in a workgroup's tile. With 8 columns, tiles of up to 60 channels fit
   * within WebGPU's default limits.
   */
  readonly tileColumns: TileColumns;
}

/**
 * The bindings are `x`, `weights` (from `packConvGate`), `bias` (from `packGateBias`) and `y`. The
 * uniform's fields are those in `MAP_WORDS`. The grid comes from `tileColumnGrid`.
 */
export function convGateKernel(spec: ConvGateSpec, element: ElementType = 'f32') {
  return {
    label: `conv3x3 ${spec.cIn}->${spec.cOut} nearest x${spec.upsample}, pixel attention`,
    code: assemble(
      element,
      {
        IN_BLOCKS: blocksOf(spec.cIn),
        ...TILE,
        DEPTH: blocksOf(spec.cOut),
        TILE_COLUMNS: spec.tileColumns,
        UPSAMPLE: spec.upsample,
        ...activationConstants(1, spec.act1),
      },
      'conv/gate',
      SHADERS,
    ),
    ...contract(['x', 'weights', 'bias'], ['y'], MAP_WORDS),
  };
}

/** Packs the weights (oihw) of the 3x3 and 1x1 convolutions. */
export const packConvGate = (
  { cIn, cOut }: ConvGateSpec,
  w3: Float32Array,
  w1: Float32Array,
): Float32Array<ArrayBuffer> =>
  concatFloats([packConvWeights(w3, cOut, cIn, 3), packConvWeights(w1, cOut, cOut, 1)]);

/** Packs the biases of the 3x3 and 1x1 convolutions. */
export const packGateBias = (
  { cOut }: ConvGateSpec,
  b3: Float32Array | null,
  b1: Float32Array | null,
): Float32Array<ArrayBuffer> => concatFloats([packBias(b3, cOut), packBias(b1, cOut)]);

/**
 * A network's last convolution, which produces RGB. Its kernel also adds the network's input,
 * enlarged bilinearly, and stores 8-bit pixels.
 */
export interface ConvPackSpec {
  readonly cIn: number;
  readonly scale: number;
  /** The network's output is in the range from 0 to this number. */
  readonly range: number;
}

const PACK = contract(['x', 'weights', 'bias', 'lr'], ['image', 'status'], {
  ...MAP_WORDS,
  map_width: 'u32',
  map_height: 'u32',
  col0: 'u32',
  row0: 'u32',
  mark: 'u32',
});

/**
 * The bindings are `x`, `weights` (from `packConvWeights`), `bias`, `lr`, `image` and `status`. The
 * uniform's fields are `width`, `height`, `group_row`, `map_width`, `map_height`, `col0`, `row0`
 * and `mark`. conv/pack.wgsl describes them. The grid is `shapeGrid(shape, 3, width, height)`.
 */
export function convPackKernel(
  spec: ConvPackSpec,
  element: ElementType = 'f32',
  shape: ConvShape = plainShape(3),
) {
  return {
    label: `conv3x3 ${spec.cIn}->3, bilinear skip, pack`,
    code: convSource(element, 3, shape, {
      PACK: true,
      UPSAMPLE: 1,
      IN_BLOCKS: blocksOf(spec.cIn),
      SCALE: spec.scale,
      RANGE: { f32: spec.range },
    }),
    ...boundFor(PACK, shape),
  };
}
