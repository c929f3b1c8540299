import type { Graph } from '../../graph/graph.ts';
import { type FuseOptions, Fuser } from './fuse.ts';
import { convLayer, type FusedGraph, type FusedOp, linearLayer, sumOf } from './fused.ts';
import { type AttentionBlock, PatternFinder } from './patterns.ts';

export interface BlockOptions extends Omit<FuseOptions, 'fuse'> {
  /**
   * Returns whether a tile with this many channels fits the backend's limits. By default, every
   * tile fits.
   */
  readonly fits?: (channels: number) => boolean;
}

/**
 * Fuses a graph at level `blocks`. This function claims the largest patterns first. Then it fuses
 * the other nodes as `fuse` does.
 */
export function fuseBlocks(graph: Graph, { fits, ...options }: BlockOptions = {}): FusedGraph {
  const fuser = new Fuser(graph, options);
  const patterns = new PatternFinder(fuser, fits ?? (() => true));
  claimAttentionBlocks(fuser, patterns);
  claimSkipOutput(fuser, patterns);
  claimGatedConvs(fuser, patterns);
  return fuser.fused();
}

/**
 * Claims each whole attention-in-attention block. Where possible, the block's last op also computes
 * the first layers of the next block.
 */
function claimAttentionBlocks(fuser: Fuser, patterns: PatternFinder): void {
  const blocks = fuser.graph.nodes
    .map((_, id) => patterns.attentionBlock(id))
    .filter((block) => block !== null);
  const byInput = new Map(blocks.map((block) => [block.x, block]));
  const byOutput = new Map(blocks.map((block) => [block.out, block]));
  /**
   * Returns the next block if the last op of `block` can also compute the first map that the next
   * block needs, `t = lrelu(first(x))`. Returns null if there is no next block, if the two blocks
   * have different numbers of features, or if the next block's `first(x)` must be written to
   * memory.
   */
  const fedBy = (block: AttentionBlock): AttentionBlock | null => {
    const next = byInput.get(block.out);
    return next && next.features === block.features && !fuser.keep.has(next.firstId) ? next : null;
  };
  for (const block of blocks) {
    const { gated, out } = block;
    fuser.absorb(block.inner);
    const before = byOutput.get(block.x);
    if (before && fedBy(before) === block) fuser.absorb([block.firstId, block.t]);
    fuser.claim(gated, attentionGate(fuser.name(gated), block));
    fuser.claim(out, attentionMix(fuser.name(out), block, fedBy(block)));
  }
}

function attentionGate(
  name: string,
  { gated, t, k1, k2, k3, features, slope }: AttentionBlock,
): FusedOp {
  return {
    op: 'attentionGate',
    name,
    reads: { t },
    writes: { gated },
    k1: convLayer(k1),
    k2: convLayer(k2),
    k3: convLayer(k3),
    features,
    slope,
    multiplyAdds: sumOf([k1, k2, k3]),
  };
}

function attentionMix(name: string, block: AttentionBlock, next: AttentionBlock | null): FusedOp {
  const { gated, t, x, out, k4, non, last, w1, w2, features, slope, temperature } = block;
  const first = next?.first ?? null;
  return {
    op: 'attentionMix',
    name,
    reads: { gated, t, x },
    writes: { out, nextT: next?.t ?? null },
    k4: convLayer(k4),
    non: convLayer(non),
    last: convLayer(last),
    first: first && convLayer(first),
    w1: linearLayer(w1, features),
    w2: linearLayer(w2, w1.lengthOut),
    temperature,
    features,
    slope,
    multiplyAdds: sumOf([k4, non, last, ...(first ? [first] : [])]),
  };
}

/**
 * Fuses the end of the network (a convolution plus the enlarged input) and the conversion to 8-bit
 * pixels into one op.
 */
function claimSkipOutput(fuser: Fuser, patterns: PatternFinder): void {
  const { image, graph } = fuser;
  const end = image && !image.wide ? patterns.skipOutput() : null;
  if (!end) return;
  const { conv, scale, inner, skip } = end;
  fuser.absorb(inner);
  fuser.claim(graph.output, {
    op: 'skipPack',
    name: fuser.name(graph.output),
    reads: { x: conv.inputs[0], skip },
    writes: {},
    conv: convLayer(conv),
    scale,
    multiplyAdds: conv.multiplyAdds,
  });
}

/**
 * Fuses pixel attention (a convolution and its gate) into one op. A convolution is skipped if it
 * reads the parts of a concatenation directly.
 */
function claimGatedConvs(fuser: Fuser, patterns: PatternFinder): void {
  fuser.graph.nodes.forEach((node, id) => {
    const found = node.op === 'conv' && !fuser.partsOf(node) ? patterns.gatedConv(id) : null;
    if (!found) return;
    const { conv, gate, last, activation, inner } = found;
    fuser.absorb(inner);
    const { upsample, source } = fuser.readThrough(conv);
    fuser.claim(last, {
      op: 'gatedConv',
      name: fuser.name(last),
      reads: { x: source },
      writes: { y: last },
      conv: convLayer(conv),
      gate: convLayer(gate),
      upsample,
      activation,
      multiplyAdds: sumOf([conv, gate]),
    });
  });
}
