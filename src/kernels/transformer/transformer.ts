/** Kernels of lightweight transformers. `graph/transformerOp.ts` says what each op computes. */

import { internal } from '../../errors.ts';
import type { Activation } from '../../graph/graph.ts';
import type { Grouping } from '../../graph/transformerOp.ts';
import activationSource from '../../shaders/lib/activation.wgsl?raw';
import groupsSource from '../../shaders/lib/groups.wgsl?raw';
import mapSource from '../../shaders/lib/map.wgsl?raw';
import nanSource from '../../shaders/lib/nan.wgsl?raw';
import channelAttentionSource from '../../shaders/transformer/channelAttention.wgsl?raw';
import depthwiseSource from '../../shaders/transformer/depthwise.wgsl?raw';
import enlargedSource from '../../shaders/transformer/enlarged.wgsl?raw';
import groupMixSource from '../../shaders/transformer/groupMix.wgsl?raw';
import groupScoresSource from '../../shaders/transformer/groupScores.wgsl?raw';
import layerNormSource from '../../shaders/transformer/layerNorm.wgsl?raw';
import maxPoolSource from '../../shaders/transformer/maxPool.wgsl?raw';
import resizeSource from '../../shaders/transformer/resize.wgsl?raw';
import sliceSource from '../../shaders/transformer/slice.wgsl?raw';
import stridedConvSource from '../../shaders/transformer/stridedConv.wgsl?raw';
import { activationConstants } from '../activation.ts';
import {
  assemble,
  blocksOf,
  type Constants,
  contract,
  type ElementType,
  type Grid,
  MAP_WORDS,
} from '../kernel.ts';
import type { Sources } from '../wgsl.ts';

const SHADERS: Sources = {
  'lib/nan': nanSource,
  'lib/activation': activationSource,
  'lib/groups': groupsSource,
  'lib/map': mapSource,
  'transformer/channelAttention': channelAttentionSource,
  'transformer/depthwise': depthwiseSource,
  'transformer/enlarged': enlargedSource,
  'transformer/groupMix': groupMixSource,
  'transformer/groupScores': groupScoresSource,
  'transformer/layerNorm': layerNormSource,
  'transformer/maxPool': maxPoolSource,
  'transformer/resize': resizeSource,
  'transformer/slice': sliceSource,
  'transformer/stridedConv': stridedConvSource,
};

const source = (name: string, element: ElementType, constants: Constants): string =>
  assemble(element, constants, `transformer/${name}`, SHADERS);

const GROUPINGS: Readonly<Record<Grouping['kind'], number>> = { windows: 0, spread: 1, grid: 2 };

/** The constants of lib/groups.wgsl. */
const groupingConstants = ({ kind, side }: Grouping): Constants => ({
  GROUPING: GROUPINGS[kind],
  SIDE: side,
});

/** Workgroups of a kernel with one workgroup per group, `z` times. */
export const groupGrid = (
  { kind, side }: Grouping,
  width: number,
  height: number,
  z: number,
): Grid => (kind === 'grid' ? [side, side, z] : [width / side, height / side, z]);

const SLICE = contract(['x'], ['y'], MAP_WORDS);

/** Grid: `mapGrid(width, height, blocks of y)`. */
export const sliceKernel = (first: number, count: number, element: ElementType = 'f32') => ({
  label: `channels ${first} to ${first + count - 1}`,
  code: source('slice', element, { FIRST: first, COUNT: count }),
  ...SLICE,
});

const DEPTHWISE = contract(['x', 'weights', 'bias'], ['y'], MAP_WORDS);

/** Weights: `packDepthwise`; bias: `packBias`. Grid: `mapGrid(width, height, blocks)`. */
export const depthwiseKernel = (
  kernel: number,
  activation: Activation | null,
  element: ElementType = 'f32',
) => ({
  label: `depthwise ${kernel}x${kernel}`,
  code: source('depthwise', element, { K: kernel, ...activationConstants(0, activation) }),
  ...DEPTHWISE,
});

/** [channels][taps] as [blocks][taps] vectors, absent channels zero. */
export function packDepthwise(
  weights: Float32Array,
  channels: number,
  taps: number,
): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(blocksOf(channels) * taps * 4);
  for (let c = 0; c < channels; c++) {
    for (let t = 0; t < taps; t++) {
      packed[((c >> 2) * taps + t) * 4 + (c & 3)] = weights[c * taps + t];
    }
  }
  return packed;
}

const LAYER_NORM = contract(['x', 'norm'], ['y'], MAP_WORDS);

/** Norm: `packNorm`, f32. Grid: `mapGrid(width, height, 1)`. */
export const layerNormKernel = (
  channels: number,
  epsilon: number,
  element: ElementType = 'f32',
) => ({
  label: 'layer norm',
  code: source('layerNorm', element, {
    CHANNELS: channels,
    BLOCKS: blocksOf(channels),
    EPSILON: { f32: epsilon },
  }),
  ...LAYER_NORM,
});

/** Weights and biases, each padded with zeros to whole blocks. */
export function packNorm(
  weight: Float32Array,
  bias: Float32Array,
  channels: number,
): Float32Array<ArrayBuffer> {
  const packed = new Float32Array(blocksOf(channels) * 8);
  packed.set(weight);
  packed.set(bias, blocksOf(channels) * 4);
  return packed;
}

/** Sizes of an attention within groups. */
export interface GroupSpec {
  readonly grouping: Grouping;
  readonly heads: number;
  readonly channels: number;
}

const tokenConstants = ({ grouping, heads, channels }: GroupSpec): Constants => ({
  CHANNELS: channels,
  DEPTH: channels / heads,
  HEADS: heads,
  TOKENS: grouping.side ** 2,
  KEY_BLOCKS: blocksOf(grouping.side ** 2),
  ...groupingConstants(grouping),
});

/** Bytes of the scores of a map with this many pixels. */
export const scoreBytes = (
  { grouping, heads }: Omit<GroupSpec, 'channels'>,
  pixels: number,
): number => pixels * heads * blocksOf(grouping.side ** 2) * 16;

const GROUP_SCORES = contract(['x', 'table'], ['scores'], MAP_WORDS);

/** Grid: `groupGrid(grouping, width, height, heads)`. */
export const groupScoresKernel = (
  spec: GroupSpec & { readonly table: boolean },
  element: ElementType = 'f32',
) => ({
  label: `scores of ${spec.grouping.kind}`,
  code: source('groupScores', element, { ...tokenConstants(spec), TABLE: spec.table }),
  ...GROUP_SCORES,
});

const GROUP_MIX = contract(['x', 'scores'], ['y'], MAP_WORDS);

/** Grid: `groupGrid(grouping, width, height, blocks of y)`. */
export const groupMixKernel = (
  spec: GroupSpec & { readonly first: number },
  element: ElementType = 'f32',
) => ({
  label: `mix of ${spec.grouping.kind}`,
  code: source('groupMix', element, { ...tokenConstants(spec), FIRST: spec.first }),
  ...GROUP_MIX,
});

const CHANNEL_ATTENTION = contract(['x', 'temperature', 'weights', 'r'], ['y'], MAP_WORDS);

/** Pixels whose queries and keys are in workgroup memory at a time. */
const CHUNK = 32;

/** Whether a head's channels fit a workgroup and heads begin at block boundaries. */
const channelAttentionFits = (channels: number, heads: number): boolean =>
  channels / heads <= 60 && (heads === 1 || (channels / heads) % 4 === 0);

/**
 * Weights and r are only read with `project`. Grid: `groupGrid(grouping, width, height, heads)`.
 * @throws RangeError if a head's channels do not fit a workgroup
 */
export function channelAttentionKernel(
  { grouping, heads, channels }: GroupSpec,
  project: boolean,
  element: ElementType = 'f32',
) {
  const depth = channels / heads;
  if (!channelAttentionFits(channels, heads)) throw internal(`heads of ${depth} channels`);
  return {
    label: `channel attention in ${grouping.kind}`,
    code: source('channelAttention', element, {
      CHANNELS: channels,
      DEPTH: depth,
      HEADS: heads,
      CHUNK,
      MEMORY: Math.max(2 * depth * CHUNK, depth ** 2),
      PROJECT: project,
      ...groupingConstants(grouping),
    }),
    ...CHANNEL_ATTENTION,
  };
}

/** Words of kernels whose input has another size than the output. */
const REDUCED_WORDS = { ...MAP_WORDS, in_width: 'u32', in_height: 'u32' } as const;

const STRIDED_CONV = contract(['x', 'weights', 'bias'], ['y'], REDUCED_WORDS);

/** Weights: `packConvWeights`; bias: `packBias`. Grid: `mapGrid(width, height, blocks of y)`. */
export const stridedConvKernel = (
  { kernel, stride, cIn }: Record<'kernel' | 'stride' | 'cIn', number>,
  element: ElementType = 'f32',
) => ({
  label: `conv ${kernel}x${kernel} / ${stride}`,
  code: source('stridedConv', element, { IN_BLOCKS: blocksOf(cIn), K: kernel, STRIDE: stride }),
  ...STRIDED_CONV,
});

const REDUCED = contract(['x'], ['y'], REDUCED_WORDS);

/** Grid: `mapGrid(width, height, blocks)`. */
export const maxPoolKernel = (kernel: number, stride: number, element: ElementType = 'f32') => ({
  label: `max pool ${kernel}x${kernel} / ${stride}`,
  code: source('maxPool', element, { K: kernel, STRIDE: stride }),
  ...REDUCED,
});

/** Grid: `mapGrid(width, height, blocks)`. */
export const resizeKernel = (element: ElementType = 'f32') => ({
  label: 'resize',
  code: source('resize', element, {}),
  ...REDUCED,
});
