/**
 * Kernels for lightweight transformers. `graph/transformerOp.ts` describes the op that each kernel
 * computes.
 */

import { internal } from '../../errors.ts';
import { pixelsOf, type Size } from '../../geometry.ts';
import type { Activation } from '../../graph/graph.ts';
import { type Grouping, windowOf, windowsIn } from '../../graph/transformerOp.ts';
import groupsSource from '../../shaders/lib/groups.wgsl?raw';
import channelAttentionSource from '../../shaders/transformer/channelAttention.wgsl?raw';
import channelMixSource from '../../shaders/transformer/channelMix.wgsl?raw';
import channelSumsSource from '../../shaders/transformer/channelSums.wgsl?raw';
import channelWeightsSource from '../../shaders/transformer/channelWeights.wgsl?raw';
import depthwiseSource from '../../shaders/transformer/depthwise.wgsl?raw';
import enlargedSource from '../../shaders/transformer/enlarged.wgsl?raw';
import groupAttentionSource from '../../shaders/transformer/groupAttention.wgsl?raw';
import groupKeysSource from '../../shaders/transformer/groupKeys.wgsl?raw';
import groupMixSource from '../../shaders/transformer/groupMix.wgsl?raw';
import groupScoresSource from '../../shaders/transformer/groupScores.wgsl?raw';
import layerNormSource from '../../shaders/transformer/layerNorm.wgsl?raw';
import maxPoolSource from '../../shaders/transformer/maxPool.wgsl?raw';
import resizeSource from '../../shaders/transformer/resize.wgsl?raw';
import shiftSource from '../../shaders/transformer/shift.wgsl?raw';
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
  rowsGrid,
} from '../kernel.ts';

const SHADERS = {
  'lib/groups': groupsSource,
  'transformer/channelAttention': channelAttentionSource,
  'transformer/channelMix': channelMixSource,
  'transformer/channelSums': channelSumsSource,
  'transformer/channelWeights': channelWeightsSource,
  'transformer/depthwise': depthwiseSource,
  'transformer/enlarged': enlargedSource,
  'transformer/groupAttention': groupAttentionSource,
  'transformer/groupKeys': groupKeysSource,
  'transformer/groupMix': groupMixSource,
  'transformer/groupScores': groupScoresSource,
  'transformer/layerNorm': layerNormSource,
  'transformer/maxPool': maxPoolSource,
  'transformer/resize': resizeSource,
  'transformer/shift': shiftSource,
  'transformer/stridedConv': stridedConvSource,
};

const source = (name: string, element: ElementType, constants: Constants): string =>
  assemble(element, constants, `transformer/${name}`, SHADERS);

const GROUPINGS: Readonly<Record<Grouping['kind'], number>> = { windows: 0, spread: 1, grid: 2 };

/** Returns the constants that lib/groups.wgsl needs. */
function groupingConstants(grouping: Grouping): Constants {
  const { kind, shift = { y: 0, x: 0 }, multiple = 1 } = grouping;
  const { rows, columns } = windowOf(grouping);
  return {
    GROUPING: GROUPINGS[kind],
    ROWS: rows,
    COLUMNS: columns,
    MOVED: shift.x > 0 || shift.y > 0 || multiple > 1,
    SHIFT_X: shift.x,
    SHIFT_Y: shift.y,
    MULTIPLE: multiple,
  };
}

/** Returns the grid of a kernel with `z` workgroups per group of pixels. */
export function groupGrid(grouping: Grouping, width: number, height: number, z: number): Grid {
  const { kind, side } = grouping;
  if (kind === 'grid') return [side, side, z];
  const windows = windowsIn(grouping, { width, height });
  return [windows.width, windows.height, z];
}

/**
 * The weights come from `packDepthwise` and the bias from `packBias`. The grid is `mapGrid(width,
 * height, blocks)`.
 */
export const depthwiseKernel = (
  kernel: number,
  activation: Activation | null,
  element: ElementType = 'f32',
) => ({
  label: `depthwise ${kernel}x${kernel}`,
  code: source('depthwise', element, { K: kernel, ...activationConstants(0, activation) }),
  ...contract(['x', 'weights', 'bias'], ['y'], MAP_WORDS),
});

/**
 * Packs weights [channels][taps] as [blocks][taps] vectors of 4 channels, with zeros in the unused
 * lanes of the last block.
 */
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

/** `norm` comes from `packNorm` and is f32. The grid is `mapGrid(width, height, 1)`. */
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
  ...contract(['x', 'norm'], ['y'], MAP_WORDS),
});

/** Packs a layer norm's weights and then its biases, both padded with zeros to whole blocks. */
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

interface HeadSpec {
  readonly heads: number;
  readonly channels: number;
}

/**
 * How pixels are grouped for attention, and the numbers of heads and channels. Attention is
 * computed separately in each group.
 */
export interface GroupSpec extends HeadSpec {
  readonly grouping: Grouping;
}

/**
 * `query` and `key` are the indices of the first query channel and the first key channel. A key
 * consists of `merge` x `merge` pixels.
 */
export interface ScoreSpec extends GroupSpec {
  readonly query: number;
  readonly key: number;
  readonly merge: number;
  /** Whether there is a position table. */
  readonly table: boolean;
}

function tokenConstants({ grouping, heads, channels, merge }: GroupSpec & { merge: number }) {
  const { tokens } = windowOf(grouping);
  return {
    CHANNELS: channels,
    DEPTH: channels / heads,
    HEADS: heads,
    PER_PIXEL: channels / merge ** 2,
    TOKENS: tokens,
    KEYS: tokens / merge ** 2,
    MERGE: merge,
    ...groupingConstants(grouping),
  };
}

const keyBlocks = ({ grouping, merge }: Pick<ScoreSpec, 'grouping' | 'merge'>): number =>
  blocksOf(windowOf(grouping).tokens / merge ** 2);

/** Returns the size in bytes of the scores for a map of the given size. */
export function scoreBytes(
  spec: Pick<ScoreSpec, 'grouping' | 'heads' | 'merge'>,
  size: Size,
): number {
  const windows = pixelsOf(windowsIn(spec.grouping, size));
  return windows * windowOf(spec.grouping).tokens * spec.heads * keyBlocks(spec) * 16;
}

/** The grid is `groupGrid(grouping, width, height, heads)`. */
export const groupScoresKernel = (spec: ScoreSpec, element: ElementType = 'f32') => ({
  label: `scores of ${spec.grouping.kind}`,
  code: source('groupScores', element, {
    ...tokenConstants(spec),
    QUERY: spec.query,
    KEY: spec.key,
    KEY_BLOCKS: keyBlocks(spec),
    TABLE: spec.table,
  }),
  ...contract(['q', 'k', 'table'], ['scores'], MAP_WORDS),
});

/** The number of queries per workgroup, and the number of keys in workgroup memory at a time. */
const [QUERIES, KEY_CHUNK] = [64, 32];

/** A head may have at most 64 channels. The grid is `attentionGrid(spec, width, height)`. */
export function groupAttentionKernel(
  spec: ScoreSpec & { readonly first: number },
  element: ElementType = 'f32',
) {
  const { channels, heads, query, key, first, merge } = spec;
  const depth = channels / heads;
  return {
    label: `attention in ${spec.grouping.kind}`,
    code: source('groupAttention', element, {
      ...tokenConstants(spec),
      QUERY: query,
      KEY: key,
      FIRST: first,
      BLOCKS: blocksOf(depth),
      CHUNK: KEY_CHUNK,
      TABLE: spec.table,
      ALIGNED: [depth, query, key, first].every((n) => n % 4 === 0),
      MERGED: merge > 1,
    }),
    ...contract(['q', 'kv', 'table'], ['y'], MAP_WORDS),
  };
}

export const attentionGrid = (
  { grouping, heads }: Omit<GroupSpec, 'channels'>,
  width: number,
  height: number,
): Grid =>
  groupGrid(grouping, width, height, heads * Math.ceil(windowOf(grouping).tokens / QUERIES));

/**
 * The grid is `groupGrid(grouping, width, height, blocks)`, where `blocks` is the number of blocks
 * of the output map `y`.
 */
export const groupMixKernel = (
  spec: GroupSpec & { readonly first: number; readonly merge: number },
  element: ElementType = 'f32',
) => ({
  label: `mix of ${spec.grouping.kind}`,
  code: source('groupMix', element, {
    ...tokenConstants(spec),
    FIRST: spec.first,
    KEY_BLOCKS: keyBlocks(spec),
  }),
  ...contract(['x', 'scores'], ['y'], MAP_WORDS),
});

/** The number of pixels whose queries and keys are in workgroup memory at a time. */
const CHUNK = 32;

/**
 * The kernel reads `weights` and `r` only if `project` is true. The grid is `groupGrid(grouping,
 * width, height, heads)`.
 * @throws CrispenError `INTERNAL` if a head has more than 60 channels, or if there are several
 *   heads and the number of channels per head is not a multiple of 4
 */
export function channelAttentionKernel(
  { grouping, heads, channels }: GroupSpec,
  project: boolean,
  element: ElementType = 'f32',
) {
  const depth = channels / heads;
  // One head's queries and keys must fit in workgroup memory, and each head must start at the first
  // channel of a block.
  const fits = depth <= 60 && (heads === 1 || depth % 4 === 0);
  if (!fits) throw internal(`heads of ${depth} channels`);
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
    ...contract(['x', 'temperature', 'weights', 'r'], ['y'], MAP_WORDS),
  };
}

/**
 * Each workgroup of `channelSumsKernel` computes sums over `SUM_PIXELS` pixels. It loads `SUM_STEP`
 * of them at a time.
 */
const [SUM_PIXELS, SUM_STEP] = [1024, 32];

export const channelChunks = (pixels: number): number => Math.ceil(pixels / SUM_PIXELS);

/**
 * Returns the number of blocks that hold all sums of one chunk of pixels. Each block holds four
 * sums. Each head has one sum for each pair of a query channel and a key channel (the sum of their
 * products), and one sum for each of these channels (the sum of its squares).
 */
export const channelSumBlocks = ({ heads, channels }: HeadSpec): number =>
  blocksOf(heads * ((channels / heads) ** 2 + (2 * channels) / heads));

const wholeConstants = (spec: HeadSpec): Constants => ({
  CHANNELS: spec.channels,
  DEPTH: spec.channels / spec.heads,
  HEADS: spec.heads,
  SUMS: 4 * channelSumBlocks(spec),
});

const SUM_WORDS = { pixels: 'u32', chunks: 'u32', group_row: 'u32' } as const;
/**
 * The grid is `channelSumsGrid(heads, pixels)`.
 * @throws CrispenError `INTERNAL` if a head has more than 64 channels
 */
export function channelSumsKernel(spec: HeadSpec, element: ElementType = 'f32') {
  const depth = spec.channels / spec.heads;
  if (depth > 64) throw internal(`heads of ${depth}`);
  const constants = {
    ...wholeConstants(spec),
    PIXELS: SUM_PIXELS,
    STEP: SUM_STEP,
    PER_LANE: Math.ceil((depth ** 2 + 2 * depth) / 256),
  };
  return {
    label: 'products of channels',
    code: source('channelSums', element, constants),
    ...contract(['x'], ['partials'], SUM_WORDS),
  };
}

export const channelSumsGrid = (heads: number, pixels: number): Grid =>
  rowsGrid(channelChunks(pixels), heads);

/** The grid is `[heads, 1, 1]`. */
export const channelWeightsKernel = (spec: HeadSpec) => ({
  label: 'weights of channels',
  code: source('channelWeights', 'f32', wholeConstants(spec)),
  ...contract(['partials', 'temperature'], ['weights'], SUM_WORDS),
});

/**
 * The grid is `mapGrid(width, height, blocks)`, where `blocks` is the number of blocks of the
 * output map `y`.
 */
export const channelMixKernel = (spec: HeadSpec, element: ElementType = 'f32') => ({
  label: 'mix of channels',
  code: source('channelMix', element, { ...wholeConstants(spec), FIRST: 2 * spec.channels }),
  ...contract(['x', 'weights'], ['y'], MAP_WORDS),
});

/** The uniform words of kernels whose input and output differ in size. */
export const REDUCED_WORDS = { ...MAP_WORDS, in_width: 'u32', in_height: 'u32' } as const;

/**
 * The weights come from `packConvWeights` and the bias from `packBias`. The grid is `mapGrid(width,
 * height, blocks)`, where the arguments describe the output map `y`.
 */
export const stridedConvKernel = (
  { kernel, stride, cIn }: Record<'kernel' | 'stride' | 'cIn', number>,
  element: ElementType = 'f32',
) => ({
  label: `conv ${kernel}x${kernel} / ${stride}`,
  code: source('stridedConv', element, { IN_BLOCKS: blocksOf(cIn), K: kernel, STRIDE: stride }),
  ...contract(['x', 'weights', 'bias'], ['y'], REDUCED_WORDS),
});

/** The grid is `mapGrid(width, height, blocks)`. */
export const shiftKernel = (by: 1 | -1, element: ElementType = 'f32') => ({
  label: `shift by ${by}`,
  code: source('shift', element, { FORWARD: by === 1 }),
  ...contract(['x'], ['y'], MAP_WORDS),
});

const REDUCED = contract(['x'], ['y'], REDUCED_WORDS);

/** The grid is `mapGrid(width, height, blocks)` with the size of the output map `y`. */
export const maxPoolKernel = (kernel: number, stride: number, element: ElementType = 'f32') => ({
  label: `max pool ${kernel}x${kernel} / ${stride}`,
  code: source('maxPool', element, { K: kernel, STRIDE: stride }),
  ...REDUCED,
});

/** The grid is `mapGrid(width, height, blocks)` with the size of the output map `y`. */
export const resizeKernel = (element: ElementType = 'f32') => ({
  label: 'resize',
  code: source('resize', element, {}),
  ...REDUCED,
});
