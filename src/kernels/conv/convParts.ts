import conv1x1PartsSource from '../../shaders/conv/conv1x1Parts.wgsl?raw';
import conv3x3PartsSource from '../../shaders/conv/conv3x3Parts.wgsl?raw';
import partsSource from '../../shaders/conv/parts.wgsl?raw';
import epilogueSource from '../../shaders/lib/epilogue.wgsl?raw';
import {
  assemble,
  BOUND_PARTS,
  blocksOf,
  type ElementType,
  type Grid,
  type Kernel,
  mapGrid,
} from '../kernel.ts';
import type { Sources } from '../wgsl.ts';
import { type ConvSpec, convParams } from './conv.ts';

const SHADERS: Sources = {
  'conv/conv1x1Parts': conv1x1PartsSource,
  'conv/conv3x3Parts': conv3x3PartsSource,
  'conv/parts': partsSource,
  'lib/epilogue': epilogueSource,
};

/** A convolution that reads a concatenation as separate maps: no multiplier, no enlargement. */
export interface PartsConvSpec extends ConvSpec {
  /** Channels of each part; together cIn. */
  readonly parts: readonly number[];
  /** Which of the five bound maps is the addend. */
  readonly addend: number;
}

/**
 * Bindings: x0 .. x4, weights (`packConvWeights` with `parts`), bias (`packBias`), y.
 * Uniform: `convPartsParams`. All layers share a pipeline.
 */
export function convPartsKernel(kernel: 1 | 3, element: ElementType = 'f32'): Kernel {
  return {
    label: `conv${kernel}x${kernel} over parts`,
    code: assemble(element, {}, `conv/conv${kernel}x${kernel}Parts`, SHADERS),
    bindings: ['read', 'read', 'read', 'read', 'read', 'read', 'read', 'write'],
  };
}

/** The uniform's words for an output of `width` x `height` pixels. */
export function convPartsParams(spec: PartsConvSpec, width: number, height: number): number[] {
  const { parts, addend, multiply, upsample } = spec;
  if (multiply || upsample !== 1 || parts.length > BOUND_PARTS) {
    throw new RangeError('a convolution over parts takes 5 maps, no multiplier, no enlargement');
  }
  const words = convParams(spec, width, height);
  const ends: number[] = [];
  let end = 0;
  for (const channels of parts) {
    end += blocksOf(channels);
    ends.push(end);
  }
  // A part that is not there begins where no block is.
  while (ends.length < BOUND_PARTS) ends.push(end);
  words[3] = end;
  words[4] |= addend << 10;
  words.splice(9, 1, ends[0] | (ends[1] << 16), ends[2] | (ends[3] << 16));
  return words;
}

/** Grid of a convolution over parts for an output of `width` x `height` pixels. */
export const convPartsGrid = (spec: ConvSpec, width: number, height: number): Grid =>
  mapGrid(width, height, blocksOf(spec.cOut), 4, spec.kernel === 3 ? 2 : 1);
