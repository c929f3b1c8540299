import attentionGateSource from '../../shaders/attention/gate.wgsl?raw';
import attentionMixSource from '../../shaders/attention/mix.wgsl?raw';
import { packConvWeights } from '../conv/conv.ts';
import {
  assemble,
  blocksOf,
  concatFloats,
  contract,
  type ElementType,
  MAP_WORDS,
  type TileColumns,
  tileColumnGrid,
} from '../kernel.ts';
import { TILE, TILE_SHADERS } from '../tile.ts';

const SHADERS = {
  'attention/gate': attentionGateSource,
  'attention/mix': attentionMixSource,
  ...TILE_SHADERS,
};

/**
 * The constants of the two kernels, gate and mix, that compute an attention-in-attention block of
 * A2N.
 */
export interface AttentionBlockSpec {
  /** The number of channels of every map. */
  readonly features: number;
  /** The slope of every leaky ReLU for negative values. */
  readonly slope: number;
  /**
   * The number of columns in a workgroup's tile. With 8 columns, tiles of up to 60 channels fit
   * within WebGPU's default limits.
   */
  readonly tileColumns: TileColumns;
}

export interface AttentionMixSpec extends AttentionBlockSpec {
  /** The number of elements in the hidden layer of the dynamic attention module. */
  readonly hidden: number;
  /** The kernel size of the non-attention convolution: 3 (A2N) or 1 (A2N-M). */
  readonly nonKernel: 1 | 3;
  readonly temperature: number;
}

const GATE = contract(['t', 'weights', 'bias', 'partials'], ['gated', 'stats'], {
  ...MAP_WORDS,
  chunks: 'u32',
  stat_groups: 'u32',
});

const MIX = contract(['gated', 't', 'x', 'weights', 'stats'], ['out', 'next_t', 'partials'], {
  ...MAP_WORDS,
  stat_groups: 'u32',
  has_next: 'u32',
  pixels: 'u32',
});

/**
 * The maximum number of workgroups of the gate kernel that write pooling sums. It is small, because
 * every workgroup of the mix kernel must add up all of these sums.
 */
const MAX_STAT_GROUPS = 64;

/**
 * Returns the number of workgroups, which is the same for the gate kernel and the mix kernel. Their
 * grid comes from `tileColumnGrid`. Each workgroup of the mix kernel writes one set of partial
 * sums.
 */
export const attentionGroups = (
  tileColumns: TileColumns,
  width: number,
  height: number,
): number => {
  const [x, y] = tileColumnGrid(tileColumns, width, height);
  return x * y;
};

/** Returns the number of workgroups of the gate kernel that write sums to `stats`. */
export const statGroups = (tileColumns: TileColumns, width: number, height: number): number =>
  Math.min(MAX_STAT_GROUPS, attentionGroups(tileColumns, width, height));

/**
 * The bindings are `t`, `weights` (from `packAttentionGate`), `bias`, `partials`, `gated` and
 * `stats`. The uniform's fields are `width`, `height`, `group_row`, `chunks` (the number of sets of
 * partial sums) and `stat_groups`.
 */
export function attentionGateKernel(
  { features, slope, tileColumns }: AttentionBlockSpec,
  element: ElementType = 'f32',
) {
  return {
    label: `attention gate ${features}`,
    code: assemble(
      element,
      { ...TILE, DEPTH: blocksOf(features), TILE_COLUMNS: tileColumns, SLOPE: { f32: slope } },
      'attention/gate',
      SHADERS,
    ),
    ...GATE,
  };
}

/**
 * The bindings are `gated`, `t`, `x`, `weights` (from `packAttentionMix`), `stats`, `out`, `next_t`
 * and `partials`. If there is no next block, the last two are bound but not written. The uniform's
 * fields are `width`, `height`, `group_row`, `stat_groups`, `has_next` and `pixels` (the number of
 * pixels that `stats` covers).
 */
export function attentionMixKernel(spec: AttentionMixSpec, element: ElementType = 'f32') {
  return {
    label: `attention mix ${spec.features}`,
    code: assemble(
      element,
      {
        ...TILE,
        DEPTH: blocksOf(spec.features),
        TILE_COLUMNS: spec.tileColumns,
        HIDDEN_BLOCKS: blocksOf(spec.hidden),
        NON_REACH: spec.nonKernel === 3 ? 1 : 0,
        TEMPERATURE: { f32: spec.temperature },
        SLOPE: { f32: spec.slope },
      },
      'attention/mix',
      SHADERS,
    ),
    ...MIX,
  };
}

/**
 * Packs the weights (oihw) of the convolutions `k1`, `k3` and `k2` (attention/gate.wgsl) as
 * consecutive matrices.
 */
export function packAttentionGate(
  { features }: AttentionBlockSpec,
  weights: Readonly<Record<'k1' | 'k3' | 'k2', Float32Array>>,
): Float32Array<ArrayBuffer> {
  return concatFloats([
    packConvWeights(weights.k1, features, features, 3),
    packConvWeights(weights.k3, features, features, 3),
    packConvWeights(weights.k2, features, features, 1),
  ]);
}

/**
 * Packs the weights of the convolutions `k4`, `non` and `last` (attention/mix.wgsl), of the linear
 * layers `w1` and `w2`, and of the next block's convolution `first` (null if there is no next
 * block).
 */
export function packAttentionMix(
  { features, hidden, nonKernel }: AttentionMixSpec,
  weights: Readonly<Record<'k4' | 'non' | 'last' | 'w1' | 'w2', Float32Array>> & {
    readonly first: Float32Array | null;
  },
): Float32Array<ArrayBuffer> {
  return concatFloats([
    packConvWeights(weights.k4, features, features, 3),
    packConvWeights(weights.non, features, features, nonKernel),
    packConvWeights(weights.last, features, features, 1),
    packConvWeights(weights.w1, hidden, features, 1),
    packConvWeights(weights.w2, 2, hidden, 1),
    ...(weights.first ? [packConvWeights(weights.first, features, features, 1)] : []),
  ]);
}
