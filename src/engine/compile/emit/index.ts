import type { FusedOp } from '../fused.ts';
import { attentionEmitters } from './attention.ts';
import { convEmitters } from './conv.ts';
import type { Emission, EmitterGroup } from './emission.ts';
import { pixelEmitters } from './pixels.ts';
import { vectorEmitters } from './vector.ts';

type Kind = FusedOp['op'];

type Loaded<K extends Kind> = EmitterGroup<K> | Promise<EmitterGroup<K>>;

/**
 * Where the emitter of each fused op is. Non-local attention is lazily loaded: two families of networks
 * have it, and no shipped model.
 */
const GROUPS: { readonly [K in Kind]: () => Loaded<K> } = {
  conv: () => convEmitters,
  gatedConv: () => convEmitters,
  attentionGate: () => attentionEmitters,
  attentionMix: () => attentionEmitters,
  pool: () => vectorEmitters,
  dynamicWeights: () => vectorEmitters,
  linear: () => vectorEmitters,
  softmax: () => vectorEmitters,
  vectorActivation: () => vectorEmitters,
  pointwise: () => pixelEmitters,
  prelu: () => pixelEmitters,
  affine: () => pixelEmitters,
  concat: () => pixelEmitters,
  nearest: () => pixelEmitters,
  bilinear: () => pixelEmitters,
  pixelShuffle: () => pixelEmitters,
  pixelUnshuffle: () => pixelEmitters,
  unpack: () => pixelEmitters,
  pack: () => pixelEmitters,
  skipPack: () => pixelEmitters,
  nonlocal: async () => (await import('./nonlocal.ts')).nonlocalEmitters,
};

type AnyGroup = (emission: Emission) => Partial<Record<Kind, (op: FusedOp) => void>>;

/** Loads what emits a list of fused ops. @returns appends each op's dispatches to an emission */
export async function loadEmitters(
  ops: readonly FusedOp[],
): Promise<(emission: Emission) => (op: FusedOp) => void> {
  const kinds = [...new Set(ops.map(({ op }) => op))];
  const groups = new Set(
    await Promise.all(kinds.map((kind) => GROUPS[kind]() as Promise<AnyGroup>)),
  );
  return (emission) => {
    const emitters = Object.assign({}, ...[...groups].map((group) => group(emission))) as Record<
      Kind,
      (op: FusedOp) => void
    >;
    return (op) => emitters[op.op](op);
  };
}
