/**
 * Kernels for RealPLKSR and related networks. `graph/plksrOp.ts` describes the op that each kernel
 * computes.
 */

import { internal } from '../../errors.ts';
import dySampleSource from '../../shaders/plksr/dySample.wgsl?raw';
import groupAffineSource from '../../shaders/plksr/groupAffine.wgsl?raw';
import partialConvSource from '../../shaders/plksr/partialConv.wgsl?raw';
import {
  assemble,
  blocksOf,
  type Constants,
  contract,
  DEFAULT_WORKGROUP_LIMITS,
  type ElementType,
  type Grid,
  MAP_WORDS,
} from '../kernel.ts';

const SHADERS = {
  'plksr/dySample': dySampleSource,
  'plksr/groupAffine': groupAffineSource,
  'plksr/partialConv': partialConvSource,
};

const source = (name: string, element: ElementType, constants: Constants): string =>
  assemble(element, constants, `plksr/${name}`, SHADERS);

/** The size of a `vec4f` in bytes. */
const VECTOR = 16;

/**
 * Each invocation of the partial convolution computes a column of pixels, its strip. Returns the
 * length of the longest strip for which a workgroup's tile of input pixels fits in the workgroup
 * memory of every device, or undefined if there is none.
 */
const stripFor = (kernel: number): number | undefined =>
  [4, 2].find(
    (strip) => (15 + kernel) * (4 * strip - 1 + kernel) * VECTOR <= DEFAULT_WORKGROUP_LIMITS.bytes,
  );

interface PartialConvSpec {
  readonly kernel: number;
  /** The number of channels that are convolved. */
  readonly count: number;
}

/** Returns the number of blocks that are convolved, and how they are divided into groups. */
function partialBlocks({ count }: PartialConvSpec) {
  const dense = blocksOf(count);
  const groups = Math.ceil(dense / 4);
  return { dense, groups, per: Math.ceil(dense / groups) };
}

/**
 * The weights come from `packConvWeights` and the bias from `packBias`. The grid comes from
 * `partialConvGrid`.
 * @throws CrispenError `INTERNAL` for kernels larger than 21 x 21, because their tiles do not fit
 * in workgroup memory
 */
export function partialConvKernel(spec: PartialConvSpec, element: ElementType = 'f32') {
  const strip = stripFor(spec.kernel);
  if (strip === undefined) throw internal(`a kernel of ${spec.kernel}`);
  const { dense, groups, per } = partialBlocks(spec);
  return {
    label: `partial conv ${spec.kernel}x${spec.kernel} ${spec.count}`,
    code: source('partialConv', element, {
      CHANNELS: spec.count,
      DENSE: dense,
      PER: per,
      GROUPS: groups,
      K: spec.kernel,
      STRIP: strip,
    }),
    ...contract(['x', 'weights', 'bias'], ['y'], MAP_WORDS),
  };
}

/** @param channels the number of channels of the whole map */
export function partialConvGrid(
  spec: PartialConvSpec,
  channels: number,
  width: number,
  height: number,
): Grid {
  const rows = 4 * (stripFor(spec.kernel) ?? 4);
  const { dense, groups } = partialBlocks(spec);
  const copied = blocksOf(channels) - dense;
  return [Math.ceil(width / 16), Math.ceil(height / rows), groups + copied];
}

/**
 * The operand `norm` contains the weights and then the biases of a group norm, in f32. Both are
 * padded to a multiple of four values. The kernel reads `norm` only if `epsilon` is not null. The
 * grid is [1, 1, 1].
 */
export const groupAffineKernel = (channels: number, groups: number, epsilon: number | null) => ({
  label: epsilon === null ? 'group centre' : 'group norm',
  code: source('groupAffine', 'f32', {
    CHANNELS: channels,
    BLOCKS: blocksOf(channels),
    DEPTH: channels / groups,
    NORM: epsilon !== null,
    EPSILON: { f32: epsilon ?? 0 },
  }),
  ...contract(['v', 'norm'], ['y']),
});

/** Returns the size in bytes of the factors and shifts that `groupAffineKernel` writes. */
export const groupAffineBytes = (channels: number): number => blocksOf(channels) * 32;

/**
 * `channels` is the number of channels of the map `z`, which is sampled. The grid is
 * `mapGrid(width, height, blocks)` with the size and the number of blocks of the result `y`.
 */
export const dySampleKernel = (
  {
    scale,
    groups,
    channels,
    sum,
  }: {
    readonly scale: number;
    readonly groups: number;
    readonly channels: number;
    readonly sum: number | null;
  },
  element: ElementType = 'f32',
) => ({
  label: `DySample x${scale}`,
  code: source('dySample', element, {
    SCALE: scale,
    GROUPS: groups,
    DEPTH: channels / groups,
    CHANNELS: channels,
    SUM: sum ?? 0,
  }),
  ...contract(['z', 'o'], ['y'], MAP_WORDS),
});
