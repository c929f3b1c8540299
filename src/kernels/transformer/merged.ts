/**
 * Kernels for merged ops (`engine/compile/merge.ts`). In most of these kernels, each invocation
 * processes all channels of its pixels. Each shader states its formula. The weights of a kernel's
 * 1x1 convolutions are in one buffer, one convolution after the other, as matrices from
 * `packMatrices`.
 */
import type { Activation } from '../../graph/graph.ts';
import { type Grouping, windowOf } from '../../graph/transformerOp.ts';
import depthwiseSumsSource from '../../shaders/transformer/depthwiseSums.wgsl?raw';
import enlargedSource from '../../shaders/transformer/enlarged.wgsl?raw';
import gatedProjectionSource from '../../shaders/transformer/gatedProjection.wgsl?raw';
import matricesSource from '../../shaders/transformer/matrices.wgsl?raw';
import nextLayerSource from '../../shaders/transformer/nextLayer.wgsl?raw';
import normSource from '../../shaders/transformer/norm.wgsl?raw';
import normedAttentionSource from '../../shaders/transformer/normedAttention.wgsl?raw';
import pixelLayerSource from '../../shaders/transformer/pixelLayer.wgsl?raw';
import spatialGateSource from '../../shaders/transformer/spatialGate.wgsl?raw';
import weighedWeightsSource from '../../shaders/transformer/weighedWeights.wgsl?raw';
import { ACTIVATION_IDS, activationConstants } from '../activation.ts';
import { packConvWeights } from '../conv/conv.ts';
import {
  assemble,
  blocksOf,
  type Constants,
  contract,
  type ElementType,
  type Grid,
  MAP_WORDS,
  mapGrid,
  QUADS,
} from '../kernel.ts';
import { REDUCED_WORDS } from './transformer.ts';

const SHADERS = {
  'transformer/depthwiseSums': depthwiseSumsSource,
  'transformer/enlarged': enlargedSource,
  'transformer/gatedProjection': gatedProjectionSource,
  'transformer/matrices': matricesSource,
  'transformer/norm': normSource,
  'transformer/normedAttention': normedAttentionSource,
  'transformer/pixelLayer': pixelLayerSource,
  'transformer/spatialGate': spatialGateSource,
  'transformer/nextLayer': nextLayerSource,
  'transformer/weighedWeights': weighedWeightsSource,
};

/**
 * Describes how a kernel loads matrices. With `quads`, each of the four invocations in a quad loads
 * one column of a matrix and gets the other columns from its neighbours. This requires the WebGPU
 * feature `subgroups` and is intended for devices where loads are expensive.
 */
export interface Loading {
  readonly quads: boolean;
}

const source = (
  name: string,
  element: ElementType,
  { quads }: Loading,
  constants: Constants,
): string => {
  const code = assemble(element, { QUAD: quads, ...constants }, `transformer/${name}`, SHADERS);
  return quads ? QUADS + code : code;
};

/**
 * The number of pixels per invocation. With more pixels, kernels need fewer loads, but use more
 * registers and take longer to compile.
 */
const STRIP = 2;

/**
 * Packs the weights of a 1x1 convolution, [cOut][cIn], in the same order as `packConvWeights`. With
 * `quads`, each 4 x 4 matrix is transposed.
 */
export function packMatrices(
  weights: Float32Array,
  cOut: number,
  cIn: number,
  { quads }: Loading,
  parts: readonly number[] = [cIn],
): Float32Array<ArrayBuffer> {
  const packed = packConvWeights(weights, cOut, cIn, 1, parts);
  if (!quads) return packed;
  return packed.map((_, i) => packed[(i & ~15) | ((i & 3) << 2) | ((i >> 2) & 3)]);
}

/** A 1x1 convolution that follows an op. The op's kernel also computes this convolution. */
export interface Next {
  readonly channels: number;
  /** The epsilon of the layer norm before the convolution, or null if there is no norm. */
  readonly epsilon: number | null;
  readonly activation: Activation | null;
}

const nextConstants = (next: Next | null): Constants => ({
  NEXT: next !== null,
  NEXT_BLOCKS: blocksOf(next?.channels ?? 0),
  NEXT_NORM: (next?.epsilon ?? null) !== null,
  ...activationConstants(1, next?.activation ?? null),
});

export interface PixelLayerSpec extends Next {
  /**
   * The number of channels of each input map. The sum of these numbers, each rounded up to a
   * multiple of 4, is at most 64. If the layer has a norm, there is only one input map.
   */
  readonly parts: readonly number[];
  /**
   * The index of the first output channel that the activation applies to. This index is a multiple
   * of 4. The activation also applies to all later channels.
   */
  readonly active: number;
}

/** The weights come from `packMatrices` with `parts`. The grid comes from `pixelGrid`. */
export function pixelLayerKernel(
  spec: PixelLayerSpec,
  loading: Loading,
  element: ElementType = 'f32',
) {
  const counts = spec.parts.map(blocksOf);
  const [b0, b1 = 0, b2 = 0, b3 = 0] = counts;
  return {
    label: `${spec.epsilon === null ? '' : 'norm, '}layer ${spec.parts.join('+')}->${spec.channels}`,
    code: source('pixelLayer', element, loading, {
      WEIGHTS_BINDING: 5,
      CHANNELS: spec.parts[0],
      BLOCKS: counts.reduce((sum, n) => sum + n, 0),
      ...{ B0: b0, B1: b1, B2: b2, B3: b3 },
      STRIP,
      EPSILON: { f32: spec.epsilon ?? 0 },
      ACTIVE: spec.active / 4,
      ...nextConstants(spec),
    }),
    ...contract(['x0', 'x1', 'x2', 'x3', 'weights', 'bias'], ['next'], MAP_WORDS),
  };
}

export function pixelGrid(width: number, height: number): Grid {
  const groups = Math.ceil((width * height) / (64 * STRIP));
  const x = Math.ceil(groups / 65535);
  return [x, Math.ceil(groups / x), 1];
}

export interface GatedProjectionSpec {
  /** The number of channels in each half of `x`. This number is a multiple of 4. */
  readonly hidden: number;
  readonly channels: number;
  readonly activation: Activation | null;
  readonly next: Next | null;
}

/** The taps come from `packDepthwise`. The grid comes from `columnGrid`. */
export function gatedProjectionKernel(
  { hidden, channels, activation, next }: GatedProjectionSpec,
  loading: Loading,
  element: ElementType = 'f32',
) {
  const [blocks, gates] = [blocksOf(channels), hidden / 4];
  return {
    label: `gated projection ${hidden}->${channels}${next ? `, layer ->${next.channels}` : ''}`,
    code: source('gatedProjection', element, loading, {
      WEIGHTS_BINDING: 3,
      CHANNELS: channels,
      BLOCKS: blocks,
      HIDDEN: gates,
      STRIP,
      EPSILON: { f32: next?.epsilon ?? 0 },
      FIRST_MATRIX: blocks * gates,
      FIRST_BIAS: 2 * gates + blocks,
      ...activationConstants(0, activation),
      ...nextConstants(next),
    }),
    ...contract(['x', 'taps', 'weights', 'bias', 'r'], ['y', ...(next ? ['next'] : [])], MAP_WORDS),
  };
}

/** Returns the grid for a kernel whose invocations each compute a column of `STRIP` pixels. */
export const columnGrid = (width: number, height: number, blocks = 1): Grid =>
  mapGrid(width, height, blocks, 1, STRIP);

export interface NormedAttentionSpec {
  /** The grouping of pixels. Each group must have 64 pixels. */
  readonly grouping: Grouping;
  /** The number of channels, at most 60. */
  readonly channels: number;
  readonly epsilon: number;
  /**
   * If this is not null, the kernel computes the attention scores, and `table` says whether values
   * from a position table are added to them. Otherwise, the kernel reads the scores.
   */
  readonly own: { readonly table: boolean } | null;
  readonly next: Next | null;
}

/**
 * The grid is `groupGrid(grouping, width, height, 1)`. `windows` and `spread` groupings share a
 * shader. In its uniform, the field `spread` is 1 for `spread` groupings, and 0 for `windows`.
 */
export function normedAttentionKernel(
  { grouping, channels, epsilon, own, next }: NormedAttentionSpec,
  loading: Loading,
  element: ElementType = 'f32',
) {
  const blocks = blocksOf(channels);
  const parts = own ? 2 : 1;
  const window = windowOf(grouping);
  return {
    label: `${own ? 'scores and ' : ''}attention of ${channels}`,
    code: source('normedAttention', element, loading, {
      WEIGHTS_BINDING: 2,
      CHANNELS: channels,
      BLOCKS: blocks,
      // With `quads`, each invocation multiplies every loaded matrix by two pixels, because loads
      // are expensive on the devices that use quads.
      STRIP: loading.quads ? 2 : 1,
      OWN: own !== null,
      TABLE: own?.table ?? false,
      EPSILON: { f32: epsilon },
      NEXT_EPSILON: { f32: next?.epsilon ?? 0 },
      FIRST_MATRIX: parts * blocks ** 2,
      FIRST_BIAS: parts * blocks,
      ROWS: window.rows,
      COLUMNS: window.columns,
      ...nextConstants(next),
    }),
    ...contract(
      ['x', 'weights', 'bias', own ? 'table' : 'scores'],
      [...(own ? ['scores'] : []), 'y', ...(next ? ['next'] : [])],
      { ...MAP_WORDS, spread: 'u32' },
    ),
  };
}

/**
 * The weights come from `packDepthwise`. The grid is `columnGrid(width, height, blocks)`. Each
 * workgroup writes the sums of its results to `partials`.
 */
export const depthwiseSumsKernel = (
  channels: number,
  activation: Activation,
  element: ElementType = 'f32',
) => ({
  label: 'depthwise 3x3, sums',
  code: source(
    'depthwiseSums',
    element,
    { quads: false },
    {
      BLOCKS: blocksOf(channels),
      STRIP,
      ...activationConstants(0, activation),
    },
  ),
  ...contract(['x', 'weights', 'bias'], ['y', 'partials'], MAP_WORDS),
});

export interface WeighedWeightsSpec {
  readonly lengthIn: number;
  readonly hidden: number;
  readonly channels: number;
  readonly inner: Activation;
  /** Whether the matrices of weights are transposed, as in `packMatrices` with `quads`. */
  readonly transposed: boolean;
}

/** The grid is a single workgroup. */
export const weighedWeightsKernel = (
  { lengthIn, hidden, channels, inner, transposed }: WeighedWeightsSpec,
  element: ElementType = 'f32',
) => ({
  label: 'weighed weights',
  code: source(
    'weighedWeights',
    element,
    { quads: false },
    {
      BLOCKS: blocksOf(lengthIn),
      OUT_BLOCKS: blocksOf(channels),
      LENGTH_IN: lengthIn,
      HIDDEN: hidden,
      TRANSPOSED: transposed,
      ...activationConstants(0, inner),
    },
  ),
  ...contract(['partials', 'w1', 'w2', 'weights'], ['weighed'], {
    pixels: 'u32',
    chunks: 'u32',
  }),
});

/**
 * `direct`, `inner` and `channels` are the channel counts of the maps `a`, `x` and `map`. `x` has a
 * lower resolution than the other two maps. The grid comes from `spatialGateGrid`.
 */
export const spatialGateKernel = (
  [direct, inner, channels]: readonly [number, number, number],
  loading: Loading,
  element: ElementType = 'f32',
) => ({
  label: `spatial gate ${direct}->${inner}->${channels}`,
  code: source('spatialGate', element, loading, {
    WEIGHTS_BINDING: 3,
    DIRECT: blocksOf(direct),
    INNER: blocksOf(inner),
    BLOCKS: blocksOf(channels),
    STRIP,
    ...ACTIVATION_IDS,
  }),
  ...contract(['x', 'a', 'weights', 'bias', 'map'], ['y'], REDUCED_WORDS),
});

export const spatialGateGrid = (width: number, height: number): Grid =>
  mapGrid(width, height, 1, STRIP);
