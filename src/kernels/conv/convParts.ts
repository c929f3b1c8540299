import { internal } from '../../errors.ts';
import { MAX_PARTS } from '../../graph/graph.ts';
import { blocksOf, type Constants, contract, type ElementType } from '../kernel.ts';
import {
  boundFor,
  CONV_WORDS,
  type ConvParams,
  type ConvShape,
  type ConvSpec,
  convParams,
  convSource,
} from './conv.ts';

/**
 * A convolution that reads the parts of a concatenation as separate maps. `multiply` must be false,
 * and `upsample` must be 1.
 */
export interface PartsConvSpec extends ConvSpec {
  /** The numbers of channels of the parts. Their sum is `cIn`. */
  readonly parts: readonly number[];
  /** The index, among `x0` to `x4`, of the map that is added to the convolution's output. */
  readonly addend: number;
}

/** Returns the default shape for `convPartsKernel`. Every WebGPU device supports it. */
export const partsShape = (kernel: 1 | 3): ConvShape => ({
  strip: 4,
  lines: kernel === 3 ? 2 : 1,
  blocks: 1,
  workgroup: [8, 8],
});

const PARTS = contract(['x0', 'x1', 'x2', 'x3', 'x4', 'weights', 'bias'], ['y'], CONV_WORDS);

/**
 * The bindings are `x0` to `x4`, `weights` (from `packConvWeights` with `parts`), `bias` (from
 * `packBias`) and `y`. The uniform comes from `convPartsParams`, and the grid from `shapeGrid`. By
 * default, all layers with the same kernel size share a pipeline.
 * @param constants from `ConvVariant.overParts`
 */
export const convPartsKernel = (
  kernel: 1 | 3,
  element: ElementType = 'f32',
  shape: ConvShape = partsShape(kernel),
  constants: Constants = {},
) => ({
  label: `conv${kernel}x${kernel} over parts${shape.weights === 'quad' ? ' by quads' : ''}`,
  code: convSource(element, kernel, shape, {
    PARTS: MAX_PARTS,
    MAPS: MAX_PARTS,
    MULTIPLY: false,
    UPSAMPLE: 1,
    ...constants,
  }),
  ...boundFor(PARTS, shape),
});

/** Returns the values in the uniform buffer for an output of `width` x `height` pixels. */
export function convPartsParams(spec: PartsConvSpec, width: number, height: number): ConvParams {
  const { parts, addend, multiply, upsample } = spec;
  if (multiply || upsample !== 1 || parts.length > MAX_PARTS) {
    throw internal('a convolution over parts takes 5 maps, no multiplier, no enlargement');
  }
  const words = convParams(spec, width, height);
  const ends: number[] = [];
  let end = 0;
  for (const channels of parts) {
    end += blocksOf(channels);
    ends.push(end);
  }
  // If there are fewer than `MAX_PARTS` parts, each unused end is the total number of blocks.
  while (ends.length < MAX_PARTS) ends.push(end);
  return {
    ...words,
    in_blocks: end,
    epilogue: words.epilogue | (addend << 10),
    ends01: ends[0] | (ends[1] << 16),
    ends23: ends[2] | (ends[3] << 16),
  };
}
