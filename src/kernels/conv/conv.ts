import type { Activation } from '../../graph/graph.ts';
import conv1x1Source from '../../shaders/conv/conv1x1.wgsl?raw';
import conv3x3Source from '../../shaders/conv/conv3x3.wgsl?raw';
import epilogueSource from '../../shaders/lib/epilogue.wgsl?raw';
import { activationId, slopeOf } from '../activation.ts';
import {
  assemble,
  blocksOf,
  type ElementType,
  f32Bits,
  type Grid,
  type Kernel,
  mapGrid,
} from '../kernel.ts';
import type { Sources } from '../wgsl.ts';

const SHADERS: Sources = {
  'conv/conv1x1': conv1x1Source,
  'conv/conv3x3': conv3x3Source,
  'lib/epilogue': epilogueSource,
};

/**
 * A convolution with everything that its epilogue takes on:
 * act1(factor * act0(conv + bias) * m + r).
 */
export interface ConvSpec {
  readonly kernel: 1 | 3;
  readonly cIn: number;
  readonly cOut: number;
  /** Factor of a nearest enlargement that the input is read through; 1 for none (1x1: always 1). */
  readonly upsample: number;
  /** `prelu`: the slopes stand behind the biases (`packBias`). */
  readonly act0: Activation | 'prelu' | null;
  readonly multiply: boolean;
  readonly add: boolean;
  /** Of the product before the sum; 1 where nothing is added. */
  readonly factor: number;
  readonly act1: Activation | null;
}

/**
 * One of the ways to compute convolutions of plain maps. All have the bindings, the epilogue and the
 * uniform of `convKernel`; they differ in how the work is cut and in how weights are packed.
 */
export interface ConvVariant {
  /** Whether it knows a layer's epilogue; absent: it knows all. */
  readonly takes?: (spec: ConvSpec) => boolean;
  /** The only type of maps that it is for; absent: either. */
  readonly only?: ElementType;
  readonly kernel: (spec: ConvSpec, element: ElementType) => Kernel;
  readonly grid: (spec: ConvSpec, width: number, height: number) => Grid;
  /** Absent: weights are packed as `packConvWeights` leaves them. */
  readonly packing?: ConvPacking;
}

/** Another order of the packed weights of a convolution. */
export interface ConvPacking {
  /** Variants that read weights in one order give it one name. */
  readonly name: string;
  /** From `packConvWeights`, whose array it may change. */
  readonly arrange: (
    packed: Float32Array<ArrayBuffer>,
    spec: ConvSpec,
  ) => Float32Array<ArrayBuffer>;
}

/** The variant for a layer. */
export type ConvChoice = (spec: ConvSpec) => ConvVariant;

/** What every device runs well. */
export const plainConv: ConvVariant = {
  kernel: (spec, element) => convKernel(spec, element),
  grid: (spec, width, height) => convGrid(spec, width, height),
};

/**
 * Bindings: x, weights (`packConvWeights`), bias (`packBias`), multiplier, addend, y.
 * Uniform: `convParams`. Layers share a pipeline unless they enlarge differently.
 */
export function convKernel(
  { kernel, upsample }: Pick<ConvSpec, 'kernel' | 'upsample'>,
  element: ElementType = 'f32',
): Kernel {
  if (kernel === 1 && upsample !== 1) throw new RangeError('a 1x1 convolution does not upsample');
  return {
    label: `conv${kernel}x${kernel}${upsample > 1 ? ` nearest x${upsample}` : ''}`,
    code:
      kernel === 3
        ? assemble(element, { UPSAMPLE: upsample }, 'conv/conv3x3', SHADERS)
        : assemble(element, {}, 'conv/conv1x1', SHADERS),
    bindings: ['read', 'read', 'read', 'read', 'read', 'write'],
  };
}

/** The uniform's words for an output of `width` x `height` pixels. */
export function convParams(spec: ConvSpec, width: number, height: number): number[] {
  const { cIn, cOut, upsample, act0, act1, multiply, add, factor } = spec;
  const epilogue =
    activationId(act0) | (activationId(act1) << 4) | (multiply ? 256 : 0) | (add ? 512 : 0);
  const floats = [slopeOf(act0), slopeOf(act1), factor].map(f32Bits);
  return [width, height, 0, blocksOf(cIn), epilogue, ...floats, blocksOf(cOut), upsample];
}

/** Grid for an output of `width` x `height` pixels. */
export function convGrid(spec: ConvSpec, width: number, height: number): Grid {
  const blocks = blocksOf(spec.cOut);
  if (spec.kernel === 1) return mapGrid(width, height, blocks, 4);
  return [Math.ceil(width / 32), Math.ceil(height / 16), blocks];
}

/**
 * oihw -> [OUT_BLOCKS][IN_BLOCKS][k * k] matrices of 4 x 4, column-major: column c holds the taps of
 * input channel c. Absent channels are zero, on either side. The parts of a concatenation each begin
 * with a block.
 */
export function packConvWeights(
  oihw: Float32Array,
  cOut: number,
  cIn: number,
  kernel: number,
  parts: readonly number[] = [cIn],
): Float32Array<ArrayBuffer> {
  const taps = kernel * kernel;
  // Where each input channel lies among the lanes of all blocks.
  const lanes: number[] = [];
  let end = 0;
  for (const channels of parts) {
    for (let i = 0; i < channels; i++) lanes.push(end + i);
    end += blocksOf(channels) * 4;
  }
  const [outBlocks, inBlocks] = [blocksOf(cOut), end / 4];
  const packed = new Float32Array(outBlocks * inBlocks * taps * 16);
  for (let o = 0; o < cOut; o++) {
    for (let i = 0; i < cIn; i++) {
      const lane = lanes[i];
      const matrix = ((o >> 2) * inBlocks + (lane >> 2)) * taps;
      for (let t = 0; t < taps; t++) {
        packed[(matrix + t) * 16 + (lane & 3) * 4 + (o & 3)] = oihw[(o * cIn + i) * taps + t];
      }
    }
  }
  return packed;
}

/**
 * [cOut] padded with zeros to whole blocks; zeros alone for a layer without bias. The slopes of a
 * PReLU follow, likewise padded.
 */
export function packBias(
  bias: Float32Array | null,
  cOut: number,
  slopes: Float32Array | null = null,
): Float32Array<ArrayBuffer> {
  const lanes = blocksOf(cOut) * 4;
  const packed = new Float32Array(slopes ? 2 * lanes : lanes);
  if (bias) packed.set(bias);
  if (slopes) packed.set(slopes, lanes);
  return packed;
}
