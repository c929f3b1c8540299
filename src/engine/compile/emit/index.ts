import type { FusedOp } from '../fused.ts';
import { convEmitters } from './conv.ts';
import type { Emission, Emitter, EmitterGroup } from './emission.ts';
import { pixelEmitters } from './pixels.ts';
import { vectorEmitters } from './vector.ts';

type Kind = FusedOp['op'];

const transformer = async () => (await import('./transformer.ts')).transformerEmitters;

const merged = async () => (await import('./merged.ts')).mergedEmitters;
const plksr = async () => (await import('./plksr.ts')).plksrEmitters;
const blocks = async () => (await import('./blocks.ts')).blockEmitters;
const vectorAlone = async () => (await import('./vectorAlone.ts')).vectorAloneEmitters;

/**
 * The emitters of these ops load lazily. Few networks need them, because the ops are rare or are
 * usually fused into larger ops.
 */
const LAZY = {
  attentionGate: blocks,
  attentionMix: blocks,
  gatedConv: blocks,
  skipPack: blocks,
  globalAveragePool: vectorAlone,
  meanOfSquares: vectorAlone,
  linear: vectorAlone,
  softmax: vectorAlone,
  vectorActivation: vectorAlone,
  slice: transformer,
  shift: transformer,
  depthwise: transformer,
  layerNorm: transformer,
  scaleChannels: transformer,
  groupScores: transformer,
  groupMix: transformer,
  groupAttention: transformer,
  channelAttention: transformer,
  stridedConv: transformer,
  maxPool: transformer,
  resize: transformer,
  view: merged,
  pixelLayer: merged,
  gatedProjection: merged,
  normedAttention: merged,
  projectedAttention: merged,
  weighedProjection: merged,
  spatialGate: merged,
  partialConv: plksr,
  centre: plksr,
  groupNorm: plksr,
  repeatChannels: plksr,
  dySample: plksr,
  nonlocal: async () => (await import('./nonlocal.ts')).nonlocalEmitters,
} satisfies { readonly [K in Kind]?: () => Promise<EmitterGroup<K>> };

type Loaded = { readonly [K in Exclude<Kind, keyof typeof LAZY>]: Emitter<K> };

/**
 * The emitters of all ops that are not in `LAZY`. If the emitter of an op is missing, the return
 * type `Loaded` causes a type error.
 */
const loaded = (emission: Emission): Loaded => ({
  ...convEmitters(emission),
  ...vectorEmitters(emission),
  ...pixelEmitters(emission),
});

type AnyEmitters = Partial<Record<Kind, (op: FusedOp) => void>>;

/**
 * Loads the emitters for a list of fused ops.
 * @returns a function that appends the dispatches of an op to an emission
 */
export async function loadEmitters(
  ops: readonly FusedOp[],
): Promise<(emission: Emission) => (op: FusedOp) => void> {
  const kinds = new Set(ops.map(({ op }) => op));
  const loaders = Object.entries(LAZY).filter(([kind]) => kinds.has(kind as Kind));
  const lazy = new Set(await Promise.all(loaders.map(([, load]) => load())));
  return (emission) => {
    const groups = [loaded, ...lazy].map((group) => group(emission) as AnyEmitters);
    const emitters = Object.assign({}, ...groups) as Required<AnyEmitters>;
    return (op) => emitters[op.op](op);
  };
}
