import type { Activation } from '../graph/graph.ts';
import conv1x1Source from '../shaders/conv1x1.wgsl?raw';
import conv3x3Source from '../shaders/conv3x3.wgsl?raw';
import epilogueSource from '../shaders/lib/epilogue.wgsl?raw';
import { activationId } from './activation.ts';
import {
  assemble,
  blocksOf,
  type ElementType,
  f32Bits,
  type Grid,
  type Kernel,
  mapGrid,
} from './kernel.ts';

/** A convolution with everything that its epilogue takes on: act1(act0(conv + bias) * m + r). */
export interface ConvSpec {
  readonly kernel: 1 | 3;
  readonly cIn: number;
  readonly cOut: number;
  /** Factor of a nearest enlargement that the input is read through; 1 for none (1x1: always 1). */
  readonly upsample: number;
  readonly act0: Activation | null;
  readonly multiply: boolean;
  readonly add: boolean;
  readonly act1: Activation | null;
}

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
        ? assemble(element, { UPSAMPLE: upsample }, epilogueSource, conv3x3Source)
        : assemble(element, {}, epilogueSource, conv1x1Source),
    bindings: ['read', 'read', 'read', 'read', 'read', 'write'],
  };
}

/** The uniform's words for an output of `width` x `height` pixels. */
export function convParams(spec: ConvSpec, width: number, height: number): number[] {
  const { cIn, act0, act1, multiply, add } = spec;
  const epilogue =
    activationId(act0) | (activationId(act1) << 4) | (multiply ? 256 : 0) | (add ? 512 : 0);
  const slopes = [act0, act1].map((act) => f32Bits(act?.fn === 'leakyRelu' ? act.slope : 0));
  return [width, height, 0, blocksOf(cIn), epilogue, ...slopes];
}

/** Grid for an output of `width` x `height` pixels. */
export function convGrid(spec: ConvSpec, width: number, height: number): Grid {
  const blocks = blocksOf(spec.cOut);
  if (spec.kernel === 1) return mapGrid(width, height, blocks, 4);
  return [Math.ceil(width / 32), Math.ceil(height / 16), blocks];
}

/**
 * oihw -> [OUT_BLOCKS][IN_BLOCKS][k * k] matrices of 4 x 4, column-major: column c holds the taps of
 * input channel c. Absent channels are zero, on either side.
 */
export function packConvWeights(
  oihw: Float32Array,
  cOut: number,
  cIn: number,
  kernel: number,
): Float32Array<ArrayBuffer> {
  const taps = kernel * kernel;
  const [outBlocks, inBlocks] = [blocksOf(cOut), blocksOf(cIn)];
  const packed = new Float32Array(outBlocks * inBlocks * taps * 16);
  for (let o = 0; o < cOut; o++) {
    for (let i = 0; i < cIn; i++) {
      const matrix = ((o >> 2) * inBlocks + (i >> 2)) * taps;
      for (let t = 0; t < taps; t++) {
        packed[(matrix + t) * 16 + (i & 3) * 4 + (o & 3)] = oihw[(o * cIn + i) * taps + t];
      }
    }
  }
  return packed;
}

/** [cOut] padded with zeros to whole blocks; zeros alone for a layer without bias. */
export function packBias(bias: Float32Array | null, cOut: number): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(blocksOf(cOut) * 4);
  if (bias) packed.set(bias);
  return packed;
}
