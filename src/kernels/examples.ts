/**
 * Examples of kernels: at least one for every compute shader that binds no texture. The command
 * `npm run shader` prints their WGSL, and several unit tests use them.
 */
import type { Activation } from '../graph/graph.ts';
import { attentionGateKernel, attentionMixKernel } from './attention/attentionBlock.ts';
import { type ConvSpec, plainConv } from './conv/conv.ts';
import { convGateKernel, convPackKernel } from './conv/convFused.ts';
import { matrixConv } from './conv/convMatrix.ts';
import { convPartsKernel } from './conv/convParts.ts';
import { quadConv } from './conv/convQuad.ts';
import { stripConv, stripShape } from './conv/convStrips.ts';
import type { ElementType, Kernel } from './kernel.ts';
import { enlargeKernel } from './maps/enlarge.ts';
import { pointwiseKernel } from './maps/pointwise.ts';
import { channelsKernel, concatKernel, pixelShuffleKernel } from './maps/rearrange.ts';
import * as nonlocal from './nonlocal/nonlocal.ts';
import { quadProducts } from './nonlocal/nonlocalQuad.ts';
import { blendKernel } from './pixels/blend.ts';
import { resampleColumnsKernel, resampleRowsKernel } from './pixels/resample.ts';
import { packRgba8Kernel, unpackRgba8Kernel } from './pixels/rgba8.ts';
import * as plksr from './plksr/plksr.ts';
import * as merged from './transformer/merged.ts';
import * as transformer from './transformer/transformer.ts';
import { poolPartialKernel } from './vector/pool.ts';
import { dynamicWeightsKernel } from './vector/vector.ts';
import * as alone from './vector/vectorAlone.ts';

type Example = (element: ElementType) => Kernel;

/**
 * The settings of A2N x2. Its blocks have 40 channels, its upsampler has 24 channels, and its leaky
 * ReLUs have a slope of 0.2 for negative values.
 */
const A2N = { features: 40, slope: 0.2, tileColumns: 16, temperature: 30, hidden: 10 } as const;
const LRELU: Activation = { fn: 'leakyRelu', slope: A2N.slope };

const conv = (spec: Partial<ConvSpec>): ConvSpec => ({
  kernel: 3,
  cIn: 40,
  cOut: 40,
  upsample: 1,
  act0: null,
  multiply: false,
  add: false,
  factor: 1,
  act1: null,
  ...spec,
});
/** ASID's first attention layer, which processes 36 of the 48 channels. */
const ASID = { grouping: { kind: 'windows', side: 8 }, heads: 1, channels: 36 } as const;
const ATTENTION = { ...ASID, query: 0, key: 36, merge: 1, table: true } as const;
/** SwinIR's shifted-window attention with 60 channels. */
const SHIFTED = {
  grouping: { kind: 'windows', side: 8, shift: { y: 4, x: 4 } },
  ...{ heads: 6, channels: 60, query: 0, key: 60, merge: 1, table: true },
} as const;
const DAT = { heads: 6, channels: 180 } as const;
const GRID = { kind: 'grid', side: 8 } as const;
/**
 * The normalisation and the convolution that follow ASID's first attention layer. The convolution
 * doubles the number of channels.
 */
const NEXT = { channels: 72, epsilon: 1e-6, activation: null } as const;
const NORMED = { ...ASID, epsilon: 1e-5, own: null, next: null } as const;
const GATED = { hidden: 36, channels: 36, activation: { fn: 'gelu' }, next: null } as const;
const LAYER = { parts: [36, 12], channels: 84, epsilon: null, active: 48 } as const;
const NORM = { parts: [48], channels: 144, epsilon: 1e-6, active: 0 } as const;
const GELU: Activation = { fn: 'gelu' };
const [ALONE, QUADS] = [{ quads: false }, { quads: true }];
const rgb = { range: 1, channels: 3, scale: 2 } as const;
const strips = { pixels: 8, blocks: 2 } as const;
const shared = { ...strips, weights: 'workgroup' } as const;
const PARTS_SHAPE = stripShape({ ...shared, halo: true })(conv({}));
const PACK_SHAPE = stripShape(shared)({ cOut: 3 });
const quads = quadConv(null);
const quadParts = (spec: ConvSpec) => [quads.shape?.(spec), quads.overParts?.(spec, 2, 3)] as const;
const unit = { m: 16, n: 8, k: 16, rest: 8, subgroup: 32, bytes: 32768 };

/** The examples of each shader, by the name of the variant. The first variant is the default. */
export const EXAMPLES: Readonly<Record<string, Readonly<Record<string, Example>>>> = {
  'attention/gate': { default: (e) => attentionGateKernel(A2N, e) },
  'attention/mix': {
    default: (e) => attentionMixKernel({ ...A2N, nonKernel: 3 }, e),
    'non-1x1': (e) => attentionMixKernel({ ...A2N, nonKernel: 1 }, e),
  },
  'conv/conv': {
    default: (e) => plainConv.kernel(conv({}), e),
    '1x1': (e) => plainConv.kernel(conv({ kernel: 1 }), e),
    'nearest-x2': (e) => plainConv.kernel(conv({ upsample: 2 }), e),
    strips: (e) => stripConv(strips).kernel(conv({}), e),
    'strips-nearest': (e) => stripConv(strips).kernel(conv({ upsample: 2 }), e),
    uniform: (e) => stripConv({ ...strips, weights: 'uniform' }).kernel(conv({}), e),
    shared: (e) => stripConv(shared).kernel(conv({}), e),
    'shared-1x1': (e) => stripConv(shared).kernel(conv({ kernel: 1 }), e),
    halo: (e) => stripConv({ ...shared, halo: true }).kernel(conv({}), e),
    half: (e) => stripConv({ ...shared, half: true }).kernel(conv({}), e),
    mixing: (e) => stripConv(shared).kernel(conv({ mix: 0, act1: LRELU }), e),
    pooling: (e) => stripConv(shared).kernel(conv({ kernel: 1, act0: LRELU, pool: true }), e),
    'quad-mixing': (e) => quadConv(5).kernel(conv({ mix: 0, act1: LRELU }), e),
    quad5: (e) => quadConv(5).kernel(conv({}), e),
    quad4: (e) => quadConv(4).kernel(conv({}), e),
    quad3: (e) => quadConv(3).kernel(conv({}), e),
    quad1: (e) => quadConv(1).kernel(conv({}), e),
    'quad-sigmoid': (e) => quadConv(3).kernel(conv({ act0: { fn: 'sigmoid' } }), e),
    'quad-1x1': (e) => quadConv(5).kernel(conv({ kernel: 1, add: true }), e),
    parts: (e) => convPartsKernel(3, e),
    'parts-1x1': (e) => convPartsKernel(1, e),
    'parts-halo': (e) => convPartsKernel(3, e, PARTS_SHAPE),
    'parts-quad': (e) => convPartsKernel(1, e, ...quadParts(conv({ kernel: 1, add: true }))),
    'parts-quad-3x3': (e) => convPartsKernel(3, e, ...quadParts(conv({}))),
    pack: (e) => convPackKernel({ cIn: 24, scale: 2, range: 1 }, e),
    'pack-shared': (e) => convPackKernel({ cIn: 24, scale: 2, range: 1 }, e, PACK_SHAPE),
  },
  'conv/gate': {
    default: (e) =>
      convGateKernel({ cIn: 40, cOut: 24, upsample: 2, act1: LRELU, tileColumns: 16 }, e),
  },
  'conv/matrix': { default: (e) => matrixConv(unit).kernel(conv({}), e) },
  'maps/bilinear': { default: (e) => enlargeKernel('bilinear', 2, e) },
  'maps/channels': {
    default: (e) => channelsKernel({ first: 12, times: 1, count: 36 }, e),
    repeated: (e) => channelsKernel({ first: 0, times: 16, count: 48 }, e),
  },
  'maps/concat': { default: (e) => concatKernel([6, 3], e) },
  'maps/nearest': { default: (e) => enlargeKernel('nearest', 2, e) },
  'maps/pixelShuffle': {
    default: (e) => pixelShuffleKernel('pixelShuffle', 2, 3, e),
    unshuffle: (e) => pixelShuffleKernel('pixelUnshuffle', 2, 12, e),
  },
  'maps/pointwise': { default: (e) => pointwiseKernel('add', LRELU, e) },
  'nonlocal/argmax': { default: () => nonlocal.argmaxKernel(128) },
  'nonlocal/clusterMeans': { default: (e) => nonlocal.clusterMeansKernel(32, 128, e) },
  'nonlocal/gatherRows': { default: (e) => nonlocal.gatherRowsKernel(32, e) },
  'nonlocal/inverse': { default: nonlocal.inverseKernel },
  'nonlocal/keySoftmax': { default: (e) => nonlocal.keySoftmaxKernel(9, 'soft', e) },
  'nonlocal/mergeRows': { default: (e) => nonlocal.mergeRowsKernel(32, 2, e) },
  'nonlocal/rowMix': { default: nonlocal.plainProducts.mix },
  'nonlocal/rowMixQuad': { default: quadProducts.mix },
  'nonlocal/rowNorms': { default: (e) => nonlocal.rowNormsKernel(32, e) },
  'nonlocal/rowScores': {
    default: nonlocal.plainProducts.scores,
    biased: nonlocal.biasedScoresKernel,
  },
  'nonlocal/rowScoresQuad': { default: quadProducts.scores },
  'nonlocal/sampleKeys': {
    default: (e) =>
      nonlocal.sampleKeysKernel({ first: 0, keys: 9, offsets: 'paired', add: true }, e),
  },
  'nonlocal/similarity': {
    default: (e) =>
      nonlocal.plainProducts.similarity({ channels: 32, clusters: 128, normalised: true }, e),
  },
  'nonlocal/similarityQuad': {
    default: (e) => quadProducts.similarity({ channels: 32, clusters: 128, normalised: true }, e),
  },
  'nonlocal/sortCount': { default: () => nonlocal.sortCountKernel(128) },
  'nonlocal/sortRank': { default: () => nonlocal.sortRankKernel(128) },
  'nonlocal/sortScan': { default: nonlocal.sortScanKernel },
  'nonlocal/startMeans': { default: (e) => nonlocal.startMeansKernel(32, 128, e) },
  'pixels/blend': { default: blendKernel },
  'pixels/packRgba8': { default: (e) => packRgba8Kernel(rgb, e) },
  'pixels/resampleColumns': { default: () => resampleColumnsKernel(false) },
  'pixels/resampleRows': { default: () => resampleRowsKernel(false) },
  'pixels/unpackRgba8': { default: (e) => unpackRgba8Kernel(rgb, e) },
  'plksr/dySample': {
    default: (e) => plksr.dySampleKernel({ scale: 4, groups: 4, channels: 16, sum: 3 }, e),
    groups: (e) => plksr.dySampleKernel({ scale: 2, groups: 4, channels: 12, sum: null }, e),
  },
  'plksr/groupAffine': {
    default: () => plksr.groupAffineKernel(64, 4, 1e-5),
    centre: () => plksr.groupAffineKernel(64, 4, null),
  },
  'plksr/partialConv': {
    default: (e) => plksr.partialConvKernel({ kernel: 17, count: 16 }, e),
    '21x21': (e) => plksr.partialConvKernel({ kernel: 21, count: 6 }, e),
  },
  'transformer/channelAttention': {
    default: (e) =>
      transformer.channelAttentionKernel({ ...ASID, channels: 48, grouping: GRID }, false, e),
  },
  'transformer/channelMix': { default: (e) => transformer.channelMixKernel(DAT, e) },
  'transformer/channelSums': { default: (e) => transformer.channelSumsKernel(DAT, e) },
  'transformer/channelWeights': { default: () => transformer.channelWeightsKernel(DAT) },
  'transformer/depthwiseSums': {
    default: (e) => merged.depthwiseSumsKernel(48, GELU, e),
  },
  'transformer/gatedProjection': {
    default: (e) => merged.gatedProjectionKernel(GATED, ALONE, e),
    next: (e) => merged.gatedProjectionKernel({ ...GATED, next: NEXT }, QUADS, e),
  },
  'transformer/normedAttention': {
    default: (e) => merged.normedAttentionKernel(NORMED, ALONE, e),
    next: (e) => merged.normedAttentionKernel({ ...NORMED, next: NEXT }, QUADS, e),
    scores: (e) => merged.normedAttentionKernel({ ...NORMED, own: { table: true } }, ALONE, e),
    'scores-next': (e) =>
      merged.normedAttentionKernel({ ...NORMED, own: { table: true }, next: NEXT }, QUADS, e),
  },
  'transformer/pixelLayer': {
    default: (e) => merged.pixelLayerKernel({ ...LAYER, activation: GELU }, ALONE, e),
    norm: (e) => merged.pixelLayerKernel({ ...NORM, activation: null }, QUADS, e),
  },
  'transformer/shift': { default: (e) => transformer.shiftKernel(1, e) },
  'transformer/spatialGate': {
    default: (e) => merged.spatialGateKernel([16, 16, 48], ALONE, e),
    quads: (e) => merged.spatialGateKernel([16, 16, 48], QUADS, e),
  },
  'transformer/weighedWeights': {
    default: (e) =>
      merged.weighedWeightsKernel(
        { lengthIn: 48, hidden: 12, channels: 48, inner: { fn: 'silu' }, transposed: false },
        e,
      ),
  },
  'transformer/depthwise': { default: (e) => transformer.depthwiseKernel(3, null, e) },
  'transformer/groupAttention': {
    default: (e) => transformer.groupAttentionKernel({ ...ATTENTION, first: 72 }, e),
    shifted: (e) => transformer.groupAttentionKernel({ ...SHIFTED, first: 120 }, e),
    merged: (e) => transformer.groupAttentionKernel({ ...SHIFTED, first: 120, merge: 2 }, e),
  },
  'transformer/groupMix': {
    default: (e) => transformer.groupMixKernel({ ...ASID, first: 72, merge: 1 }, e),
  },
  'transformer/groupScores': { default: (e) => transformer.groupScoresKernel(ATTENTION, e) },
  'transformer/layerNorm': { default: (e) => transformer.layerNormKernel(36, 1e-5, e) },
  'transformer/maxPool': { default: (e) => transformer.maxPoolKernel(7, 3, e) },
  'transformer/resize': { default: transformer.resizeKernel },
  'transformer/stridedConv': {
    default: (e) => transformer.stridedConvKernel({ kernel: 3, stride: 2, cIn: 16 }, e),
  },
  'vector/dynamicWeights': {
    default: () =>
      dynamicWeightsKernel({ lengthIn: 40, hidden: 10, lengthOut: 2, temperature: 30 }),
  },
  'vector/linear': {
    default: () => alone.linearKernel(40, 10),
    bias: () => alone.linearKernel(64, 4, true),
  },
  'vector/poolFinish': { default: () => alone.poolFinishKernel(40) },
  'vector/poolInner': { default: (e) => alone.poolInnerKernel(64, 3, e) },
  'vector/poolPartial': {
    default: (e) => poolPartialKernel(40, e),
    squares: (e) => poolPartialKernel(64, e, true),
  },
  'vector/softmax': { default: () => alone.softmaxKernel(2, 30) },
  'vector/vectorActivation': { default: () => alone.vectorActivationKernel(40, { fn: 'silu' }) },
};
