/**
 * Kernels for non-local attention. `graph/nonlocalOp.ts` describes the op that each kernel
 * computes.
 */

import type { Gate, OffsetLayout } from '../../graph/nonlocalOp.ts';
import argmaxSource from '../../shaders/nonlocal/argmax.wgsl?raw';
import clusterMeansSource from '../../shaders/nonlocal/clusterMeans.wgsl?raw';
import gatherRowsSource from '../../shaders/nonlocal/gatherRows.wgsl?raw';
import inverseSource from '../../shaders/nonlocal/inverse.wgsl?raw';
import keyRowSource from '../../shaders/nonlocal/keyRow.wgsl?raw';
import keySoftmaxSource from '../../shaders/nonlocal/keySoftmax.wgsl?raw';
import mergeRowsSource from '../../shaders/nonlocal/mergeRows.wgsl?raw';
import rowMixSource from '../../shaders/nonlocal/rowMix.wgsl?raw';
import rowNormsSource from '../../shaders/nonlocal/rowNorms.wgsl?raw';
import rowScoresSource from '../../shaders/nonlocal/rowScores.wgsl?raw';
import sampleKeysSource from '../../shaders/nonlocal/sampleKeys.wgsl?raw';
import similaritySource from '../../shaders/nonlocal/similarity.wgsl?raw';
import sortCountSource from '../../shaders/nonlocal/sortCount.wgsl?raw';
import sortRankSource from '../../shaders/nonlocal/sortRank.wgsl?raw';
import sortScanSource from '../../shaders/nonlocal/sortScan.wgsl?raw';
import startMeansSource from '../../shaders/nonlocal/startMeans.wgsl?raw';
import {
  assemble,
  blocksOf,
  type Constants,
  type Contract,
  contract,
  type ElementType,
  type Grid,
  type Kernel,
  MAP_WORDS,
  type Params,
} from '../kernel.ts';
import type { Sources } from '../wgsl.ts';

const SHADERS = {
  'nonlocal/argmax': argmaxSource,
  'nonlocal/clusterMeans': clusterMeansSource,
  'nonlocal/gatherRows': gatherRowsSource,
  'nonlocal/inverse': inverseSource,
  'nonlocal/keyRow': keyRowSource,
  'nonlocal/keySoftmax': keySoftmaxSource,
  'nonlocal/mergeRows': mergeRowsSource,
  'nonlocal/rowMix': rowMixSource,
  'nonlocal/rowNorms': rowNormsSource,
  'nonlocal/rowScores': rowScoresSource,
  'nonlocal/sampleKeys': sampleKeysSource,
  'nonlocal/similarity': similaritySource,
  'nonlocal/sortCount': sortCountSource,
  'nonlocal/sortRank': sortRankSource,
  'nonlocal/sortScan': sortScanSource,
  'nonlocal/startMeans': startMeansSource,
};

/** Creates a kernel from the shader `nonlocal/<name>`. */
export const kernel = <R extends string, W extends string, P extends string>(
  label: string,
  element: ElementType,
  constants: Constants,
  bound: Contract<R, W, P>,
  name: string,
  sources: Sources = SHADERS,
): Kernel<R, W, P> => ({
  label,
  code: assemble(element, constants, `nonlocal/${name}`, sources),
  ...bound,
});

/** The number of positions that a workgroup sorts. */
const SORT_BLOCK = 256;

const ceil = (a: number, b: number): number => Math.ceil(a / b);

export interface SimilaritySpec {
  readonly channels: number;
  readonly clusters: number;
  readonly normalised: boolean;
}

export const SIMILARITY = contract(['x', 'means'], ['similar'], {
  length: 'u32',
  unused: 'u32',
  group_row: 'u32',
});

export const similarityConstants = (spec: SimilaritySpec): Constants => ({
  DEPTH: blocksOf(spec.channels),
  CLUSTERS: spec.clusters,
  NORMALISED: spec.normalised,
});

/**
 * The bindings are `similar` and `codes`. The uniform's fields are `length` and `in_use` (the
 * number of clusters to compare, or 0 for all). The grid is `lineGrid(length, rounds)`.
 */
export const argmaxKernel = (clusters: number) =>
  kernel(
    `argmax of ${clusters}`,
    'f32',
    { CLUSTERS: clusters, BLOCKS: blocksOf(clusters) },
    contract(['similar'], ['codes'], { length: 'u32', in_use: 'u32' }),
    'argmax',
  );

/** Returns a grid whose workgroups of 64 invocations are arranged along `x`. */
export const lineGrid = (length: number, rounds = 1): Grid => [ceil(length, 64), 1, rounds];

/**
 * The bindings are `codes` and `counts`. The uniform's fields are `length` and `blocks`. The grid
 * comes from `sortGrid`.
 */
export const sortCountKernel = (clusters: number) =>
  kernel(
    'sort: count',
    'f32',
    { CLUSTERS: clusters },
    contract(['codes'], ['counts'], { length: 'u32', blocks: 'u32' }),
    'sortCount',
  );

/**
 * The bindings are `counts` and `starts`. The uniform's only field is `total`
 * (`clusters * blocks`). The grid is [1, 1, rounds].
 */
export const sortScanKernel = () =>
  kernel('sort: scan', 'f32', {}, contract(['counts'], ['starts'], { total: 'u32' }), 'sortScan');

/**
 * The bindings are `codes`, `starts` and `rank`. The uniform's fields are `length` and `blocks`.
 * The grid comes from `sortGrid`.
 */
export const sortRankKernel = (clusters: number) =>
  kernel(
    'sort: rank',
    'f32',
    { CLUSTERS: clusters },
    contract(['codes', 'starts'], ['rank'], { length: 'u32', blocks: 'u32' }),
    'sortRank',
  );

export const sortBlocks = (length: number): number => ceil(length, SORT_BLOCK);

export const sortGrid = (length: number, rounds: number): Grid => [sortBlocks(length), 1, rounds];

/**
 * The bindings are `permutation` and `inverse`. The uniform's only field is `length`. The grid is
 * `lineGrid(length)`.
 */
export const inverseKernel = () =>
  kernel(
    'inverse',
    'f32',
    {},
    contract(['permutation'], ['inverse'], { length: 'u32' }),
    'inverse',
  );

/**
 * The bindings are `x` and `means`. The uniform's only field is `length`. The grid is
 * `lineGrid(clusters * blocks, rounds)`.
 */
export const startMeansKernel = (
  channels: number,
  clusters: number,
  element: ElementType = 'f32',
) =>
  kernel(
    'k-means: start',
    element,
    { DEPTH: blocksOf(channels), CLUSTERS: clusters },
    contract(['x'], ['means'], { length: 'u32' }),
    'startMeans',
  );

/**
 * The bindings are `x`, `codes`, `order`, `before` (the previous means) and `means`. The uniform's
 * only field is `length`. The grid is [clusters, 1, rounds].
 */
export const clusterMeansKernel = (
  channels: number,
  clusters: number,
  element: ElementType = 'f32',
) =>
  kernel(
    'k-means: step',
    element,
    { DEPTH: blocksOf(channels), CLUSTERS: clusters },
    contract(['x', 'codes', 'order', 'before'], ['means'], { length: 'u32' }),
    'clusterMeans',
  );

/**
 * The bindings are `x`, `order` and `rows`. The uniform's fields are `length`, `padded` and
 * `group_row`. The grid comes from `gatherGrid`.
 */
export const gatherRowsKernel = (channels: number, element: ElementType = 'f32') =>
  kernel(
    `gather rows of ${channels}`,
    element,
    { BLOCKS: blocksOf(channels) },
    contract(['x', 'order'], ['rows'], { length: 'u32', padded: 'u32', group_row: 'u32' }),
    'gatherRows',
  );

export const gatherGrid = (channels: number, padded: number, rounds: number): Grid => [
  ceil(blocksOf(channels), 4),
  ceil(padded, 16),
  rounds,
];

/**
 * The bindings are `rows` and `inverse` (inverse norms). The uniform's only field is `count`. The
 * grid is `lineGrid(count)`.
 */
export const rowNormsKernel = (channels: number, element: ElementType = 'f32') =>
  kernel(
    `norms of rows of ${channels}`,
    element,
    { BLOCKS: blocksOf(channels) },
    contract(['rows'], ['inverse'], { count: 'u32' }),
    'rowNorms',
  );

export interface WindowSpec {
  readonly channels: number;
  readonly window: number;
  readonly spans: 1 | 3;
}

/**
 * Returns the number of vectors that store a row of attention weights. Each vector contains the
 * weights of 4 keys.
 */
export const keyBlocks = ({ window, spans }: Omit<WindowSpec, 'channels'>): number =>
  blocksOf(spans * window);

const WINDOW_WORDS = {
  windows: 'u32',
  first: 'u32',
  group_row: 'u32',
  window: 'u32',
  keys: 'u32',
  stride: 'u32',
  blocks: 'u32',
} as const;

export const SCORES = contract(['rows', 'inverse'], ['p', 'lse'], WINDOW_WORDS);
/**
 * The bindings and the uniform of kernels that add a bias to the scores. `bias` contains one row
 * per key. Each row contains one value for each position that a query can have in its window.
 */
const BIASED_SCORES = contract(['rows', 'inverse', 'bias'], ['p', 'lse'], {
  ...WINDOW_WORDS,
  bias_blocks: 'u32',
});
export const MIX = contract(['p', 'rows'], ['y'], WINDOW_WORDS);

/**
 * Returns the values of `WINDOW_WORDS` for a dispatch. `windows` is the number of windows in a
 * round. `first` is the index of the first window that the dispatch processes, counted across all
 * rounds.
 */
export const windowParams = (
  spec: WindowSpec,
  windows: number,
  first: number,
): Params<keyof typeof WINDOW_WORDS> => ({
  windows,
  first,
  window: spec.window,
  keys: spec.spans * spec.window,
  stride: keyBlocks(spec),
  blocks: blocksOf(spec.channels),
});

/** The type of a kernel with a given contract. */
type KernelOf<C> = C extends Contract<infer R, infer W, infer P> ? Kernel<R, W, P> : never;

/**
 * Three kernels that compute products of vectors: `similarity` compares pixels with centroids,
 * `scores` computes attention weights, and `mix` applies them. All implementations have the same
 * bindings and uniforms.
 */
export interface RowProducts {
  /**
   * The bindings are `x`, `means` and `similar`. The uniform's fields are `length`, `unused` (any
   * value) and `group_row`.
   */
  readonly similarity: (spec: SimilaritySpec, element: ElementType) => KernelOf<typeof SIMILARITY>;
  readonly similarityGrid: (length: number, clusters: number, rounds: number) => Grid;
  /**
   * The bindings are `rows`, `inverse` (inverse norms), `p` (weights) and `lse` (log-sum-exp). The
   * uniform comes from `windowParams`.
   */
  readonly scores: (element: ElementType) => KernelOf<typeof SCORES>;
  /** Returns the grid of the `scores` kernel for `count` windows. */
  readonly scoresGrid: (window: number, count: number) => Grid;
  /** The bindings are `p` (weights), `rows` and `y`. The uniform comes from `windowParams`. */
  readonly mix: (element: ElementType) => KernelOf<typeof MIX>;
  readonly mixGrid: (spec: WindowSpec, count: number) => Grid;
}

/** Kernels that run on every device, because they do not need subgroups. */
export const plainProducts: RowProducts = {
  similarity: (spec, element) =>
    kernel(
      `similarity ${spec.channels} x ${spec.clusters}`,
      element,
      similarityConstants(spec),
      SIMILARITY,
      'similarity',
    ),
  similarityGrid: (length, clusters, rounds) => [ceil(length, 64), blocksOf(clusters), rounds],
  scores: (element) => kernel('scores in windows', element, { BIASED: false }, SCORES, 'rowScores'),
  scoresGrid: (window, count) => [ceil(window, 32), count, 1],
  mix: (element) => kernel('mix in windows', element, {}, MIX, 'rowMix'),
  mixGrid: ({ window, channels }, count) => [
    ceil(window, 32) * ceil(blocksOf(channels), 16),
    count,
    1,
  ],
};

/**
 * Creates a kernel for scores with a bias. In addition to the fields from `windowParams`, its
 * uniform has `bias_blocks`, the number of blocks in a row of `bias`.
 */
export const biasedScoresKernel = (element: ElementType = 'f32') =>
  kernel('biased scores', element, { BIASED: true }, BIASED_SCORES, 'rowScores');

/**
 * The bindings are `rows`, `rank`, `lse` and `y`. The uniform's fields are `length`, `padded` and
 * `group_row`.
 */
export const mergeRowsKernel = (channels: number, rounds: number, element: ElementType = 'f32') =>
  kernel(
    `merge rows of ${channels}`,
    element,
    { BLOCKS: blocksOf(channels), ROUNDS: rounds },
    contract(['rows', 'rank', 'lse'], ['y'], { length: 'u32', padded: 'u32', group_row: 'u32' }),
    'mergeRows',
  );

export const mergeGrid = (length: number, channels: number): Grid => [
  ceil(length, 64),
  blocksOf(channels),
  1,
];

const GATES: readonly (Gate | null)[] = [null, 'zero', 'exclude', 'soft', 'columns'];

/**
 * The bindings are `a` (logits), `b` (mask logits, or the logits again if there is no gate) and
 * `y`. The grid is `mapGrid(width, height, 1)`.
 */
export const keySoftmaxKernel = (
  channels: number,
  gate: Gate | null,
  element: ElementType = 'f32',
) =>
  kernel(
    `softmax of ${channels} keys`,
    element,
    { CHANNELS: channels, BLOCKS: blocksOf(channels), GATE: GATES.indexOf(gate) },
    contract(['a', 'b'], ['y'], MAP_WORDS),
    'keySoftmax',
  );

/**
 * The bindings are `w`, `offsets`, `x`, `before` (the sum so far, or `x` again if there is none)
 * and `y`. The grid is `mapGrid(width, height, blocks)` for `y`.
 */
export const sampleKeysKernel = (
  spec: { first: number; keys: number; offsets: OffsetLayout; add: boolean },
  element: ElementType = 'f32',
) =>
  kernel(
    `sample ${spec.keys} keys from ${spec.first}`,
    element,
    {
      FIRST: spec.first,
      KEYS: spec.keys,
      ADD: spec.add,
      STEP: spec.offsets === 'paired' ? 2 : 1,
    },
    contract(['w', 'offsets', 'x', 'before'], ['y'], MAP_WORDS),
    'sampleKeys',
  );
