import { internal } from '../../errors.ts';
import { consumers } from '../../graph/analysis.ts';
import {
  type Activation,
  type Graph,
  type GraphNode,
  MAX_PARTS,
  type NodeId,
} from '../../graph/graph.ts';
import {
  type ConvOp,
  convLayer,
  type FusedGraph,
  type FusedOp,
  linearLayer,
  type PRelu,
} from './fused.ts';
import { type AttentionBlock, type GatedConv, PatternFinder } from './patterns.ts';

/**
 * Fusion levels. `none`: one fused op per node, against which the others are checked. `ops`:
 * convolutions with their epilogues and similar. `blocks` (the default): also whole
 * attention-in-attention blocks and the two ends of the network.
 */
export type Fusion = 'none' | 'ops' | 'blocks';

export interface FuseOptions {
  readonly fuse?: Fusion;
  /** Nodes that must be written out. Fusion stops at them. */
  readonly keep?: ReadonlySet<NodeId>;
  /** Given: the list begins and ends with pixels, of 16 bits if `wide`. */
  readonly image?: { readonly wide?: boolean } | undefined;
  /** For `blocks`: whether the backend can hold a tile of all these channels; default: always. */
  readonly fits?: (channels: number) => boolean;
  /** Whether the backend's kernels have an activation; others stay alone. Default: all. */
  readonly activates?: (activation: Activation) => boolean;
}

type Node<K extends GraphNode['op']> = GraphNode & { readonly op: K };

/** Finds the ops that one kernel can compute together. A pure function of its arguments. */
export function fuse(graph: Graph, options: FuseOptions = {}): FusedGraph {
  return new Fuser(graph, options).fused();
}

class Fuser {
  readonly #graph: Graph;
  readonly #level: Fusion;
  readonly #keep: ReadonlySet<NodeId>;
  readonly #image: FuseOptions['image'];
  readonly #readers: ReadonlyMap<NodeId, readonly NodeId[]>;
  readonly #patterns: PatternFinder;
  readonly #activates: (activation: Activation) => boolean;
  /** The op that is emitted at a node; null: the node is inside another node's op. */
  readonly #claimed = new Map<NodeId, FusedOp | null>();

  constructor(graph: Graph, { fuse, keep, image, fits, activates }: FuseOptions) {
    this.#graph = graph;
    this.#level = fuse ?? 'blocks';
    this.#keep = keep ?? new Set();
    this.#image = image;
    this.#readers = consumers(graph);
    this.#activates = activates ?? (() => true);
    this.#patterns = new PatternFinder(graph, this.#readers, this.#keep, fits ?? (() => true));
  }

  /**
   * The largest patterns claim their nodes first. A fused op is emitted at the position of its last
   * node, where all of its operands exist.
   */
  fused(): FusedGraph {
    const { nodes, output } = this.#graph;
    if (this.#level === 'blocks') this.#claimAttentionBlocks();
    const end = this.#claimSkipOutput();
    nodes.forEach((node, id) => {
      if (this.#claimed.has(id)) return;
      if (node.op === 'conv') this.#claimConv(node, id);
      else if (node.op === 'globalAveragePool') this.#claimDynamicWeights(node, id);
      else if (node.op === 'groupMix') this.#claimAttention(node, id);
      else if (node.op === 'mul' || node.op === 'add' || node.op === 'mix')
        this.#claimPointwise(node, id);
    });
    const ops = nodes.flatMap((node, id): readonly FusedOp[] => {
      const claimed = this.#claimed.get(id);
      if (claimed !== undefined) return claimed ? [claimed] : [];
      if (node.op === 'input') return this.#image ? [unpackOp(id)] : [];
      return [this.#alone(node, id)];
    });
    if (this.#image && !end) {
      ops.push({ op: 'pack', name: 'pack', reads: { x: output }, writes: {}, multiplyAdds: 0 });
    }
    const inputs = nodes.flatMap(({ op }, id) => (op === 'input' ? [id] : []));
    return { graph: this.#graph, ops, inputs };
  }

  /** Each whole attention-in-attention block, and the beginning of the next one. */
  #claimAttentionBlocks(): void {
    const blocks = this.#graph.nodes
      .map((_, id) => this.#patterns.attentionBlock(id))
      .filter((block) => block !== null);
    const byInput = new Map(blocks.map((block) => [block.x, block]));
    const byOutput = new Map(blocks.map((block) => [block.out, block]));
    /** The block whose t this one computes, unless first(x) must be written. */
    const fedBy = (block: AttentionBlock): AttentionBlock | null => {
      const next = byInput.get(block.out);
      return next && next.features === block.features && !this.#keep.has(next.firstId)
        ? next
        : null;
    };
    for (const block of blocks) {
      this.#absorb(block.inner);
      const before = byOutput.get(block.x);
      if (before && fedBy(before) === block) this.#absorb([block.firstId, block.t]);
      this.#claimed.set(block.gated, this.#attentionGate(block));
      this.#claimed.set(block.out, this.#attentionMix(block, fedBy(block)));
    }
  }

  #attentionGate({ gated, t, k1, k2, k3, features, slope }: AttentionBlock): FusedOp {
    return {
      op: 'attentionGate',
      name: this.#name(gated),
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

  #attentionMix(block: AttentionBlock, next: AttentionBlock | null): FusedOp {
    const { gated, t, x, out, k4, non, last, w1, w2, features, slope, temperature } = block;
    const first = next?.first ?? null;
    return {
      op: 'attentionMix',
      name: this.#name(out),
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

  /** The end of the network with its conversion to pixels; false if there is none. */
  #claimSkipOutput(): boolean {
    const wanted = this.#level === 'blocks' && this.#image && !this.#image.wide;
    const end = wanted ? this.#patterns.skipOutput() : null;
    if (!end) return false;
    const { output } = this.#graph;
    const { conv, scale, inner, skip } = end;
    this.#absorb(inner);
    this.#claimed.set(output, {
      op: 'skipPack',
      name: this.#name(output),
      reads: { x: conv.inputs[0], skip },
      writes: {},
      conv: convLayer(conv),
      scale,
      multiplyAdds: conv.multiplyAdds,
    });
    return true;
  }

  /**
   * conv [activation] [mul other] [add other] [activation], preceded by a nearest enlargement or a
   * concatenation. A convolution of a concatenation has no multiplier, and its addend needs a
   * binding.
   */
  #claimConv(node: Node<'conv'>, id: NodeId): void {
    const parts = this.#readParts(node);
    const gated = this.#level === 'blocks' && parts === null ? this.#patterns.gatedConv(id) : null;
    if (gated) {
      this.#claimGatedConv(gated);
      return;
    }
    let last = id;
    let act0: Activation | PRelu | null = null;
    let act1: Activation | null = null;
    let multiplier: NodeId | null = null;
    let addend: NodeId | null = null;
    let factor = 1;
    const canBind = (id: NodeId) => !parts || parts.includes(id) || parts.length < MAX_PARTS;
    for (let next = this.#follower(last); next !== null; next = this.#follower(last)) {
      const follower = this.#graph.nodes[next];
      const squares = follower.inputs.length === 2 && follower.inputs[0] === follower.inputs[1];
      if (squares) break; // both operands are the sum itself, which would have to be written
      if (follower.op === 'activation' && act1 === null) {
        if (!this.#activates(follower.activation)) break;
        const first = act0 === null && multiplier === null && addend === null;
        if (first) act0 = follower.activation;
        else act1 = follower.activation;
      } else if (follower.op === 'prelu' && last === id) {
        act0 = { fn: 'prelu', slopes: follower.weight };
      } else if (
        follower.op === 'mul' &&
        parts === null &&
        multiplier === null &&
        addend === null &&
        act1 === null
      ) {
        multiplier = other(follower, last);
      } else if (follower.op === 'add' && addend === null && act1 === null) {
        const summand = other(follower, last);
        // The sum is a + factor * b, and the epilogue can only scale its own value.
        const scalable = follower.factor === 1 || follower.inputs[1] === last;
        if (!scalable || !canBind(summand)) break;
        addend = summand;
        factor = follower.factor;
      } else break;
      this.#absorb([last]);
      last = next;
    }
    const { upsample, source } = this.#readThrough(node);
    const conv: ConvOp = {
      op: 'conv',
      name: this.#name(last),
      reads: { x: parts ?? [source], multiplier, addend },
      writes: { y: last },
      ...convLayer(node),
      upsample,
      act0,
      factor,
      act1,
      multiplyAdds: node.multiplyAdds,
    };
    this.#claimed.set(last, conv);
  }

  #claimGatedConv({ conv, gate, last, activation, inner }: GatedConv): void {
    this.#absorb(inner);
    const { upsample, source } = this.#readThrough(conv);
    this.#claimed.set(last, {
      op: 'gatedConv',
      name: this.#name(last),
      reads: { x: source },
      writes: { y: last },
      conv: convLayer(conv),
      gate: convLayer(gate),
      upsample,
      activation,
      multiplyAdds: sumOf([conv, gate]),
    });
  }

  /** Convolutions read the parts of a concatenation, unless another node needs it as one map. */
  #readParts({ inputs: [source] }: Node<'conv'>): readonly NodeId[] | null {
    const from = this.#graph.nodes[source];
    if (from.op !== 'concat' || !this.#readOnlyBy(source, (reader) => reader.op === 'conv')) {
      return null;
    }
    this.#absorb([source]);
    return from.inputs;
  }

  /** A 3x3 convolution reads through a nearest enlargement, unless that must be written. */
  #readThrough({ kernel, inputs: [source] }: Node<'conv'>): { upsample: number; source: NodeId } {
    const from = this.#graph.nodes[source];
    const through =
      kernel === 3 &&
      from.op === 'nearest' &&
      this.#readOnlyBy(source, (reader) => reader.op === 'conv' && reader.kernel === 3);
    if (!through) return { upsample: 1, source };
    this.#absorb([source]);
    return { upsample: from.scale, source: from.inputs[0] };
  }

  /** Scores within groups and the sum of values, unless something else needs the scores. */
  #claimAttention(mix: Node<'groupMix'>, id: NodeId): void {
    const [values, from] = mix.inputs;
    const scores = this.#graph.nodes[from];
    const alone = scores.op === 'groupScores' && this.#follower(from) === id;
    if (!alone || scores.inputs[1] !== values || !attendsInOne(scores)) return;
    this.#absorb([from]);
    const { inputs, shape: _, ...sizes } = scores;
    this.#claimed.set(id, {
      ...sizes,
      op: 'groupAttention',
      name: mix.name,
      reads: { inputs: [inputs[0], values] },
      writes: { y: id },
      first: mix.first,
      multiplyAdds: sumOf([scores, mix]),
    });
  }

  /** mul, add or mix, and the following activation. */
  #claimPointwise(node: Node<'mul' | 'add' | 'mix'>, id: NodeId): void {
    const next = this.#follower(id);
    const follower = next === null ? null : this.#graph.nodes[next];
    if (next === null || follower?.op !== 'activation') return;
    if (!this.#activates(follower.activation)) return;
    this.#absorb([id]);
    this.#claimed.set(next, pointwise(node, this.#name(next), next, follower.activation));
  }

  /** pool (of whole maps, as A2N has it), linear, relu, linear, softmax: the dynamic attention module. */
  #claimDynamicWeights(pool: Node<'globalAveragePool'>, id: NodeId): void {
    const chain = [id];
    for (let next = this.#follower(id); next !== null; next = this.#follower(next))
      chain.push(next);
    const [, first, relu, second, softmax] = chain.map((i) => this.#graph.nodes[i]);
    if (
      first?.op !== 'linear' ||
      relu?.op !== 'activation' ||
      relu.activation.fn !== 'relu' ||
      first.bias !== null ||
      second?.op !== 'linear' ||
      second.bias !== null ||
      softmax?.op !== 'softmax' ||
      pool.shape.kind !== 'vector'
    ) {
      return;
    }
    this.#absorb(chain.slice(0, 4));
    this.#claimed.set(chain[4], {
      op: 'dynamicWeights',
      name: softmax.name,
      reads: { x: pool.inputs[0] },
      writes: { y: chain[4] },
      first: linearLayer(first, pool.shape.length),
      second: linearLayer(second, first.lengthOut),
      temperature: softmax.temperature,
      multiplyAdds: 0,
    });
  }

  /** A node that is not part of a larger op. */
  #alone(node: GraphNode, id: NodeId): FusedOp {
    const { name } = node;
    switch (node.op) {
      case 'mul':
      case 'add':
      case 'mix':
        return pointwise(node, name, id, null);
      case 'activation':
        return node.shape.kind === 'vector'
          ? {
              op: 'vectorActivation',
              name,
              reads: { x: node.inputs[0] },
              writes: { y: id },
              activation: node.activation,
              multiplyAdds: 0,
            }
          : pointwise(node, name, id, node.activation);
      case 'conv':
      case 'input':
        throw internal(`${name} is claimed or an input`);
      default: {
        const { inputs, shape: _, ...op } = node;
        return { ...op, reads: { inputs }, writes: { y: id } };
      }
    }
  }

  /** The only reader of a node whose value need not be written, or null. */
  #follower(id: NodeId): NodeId | null {
    if (this.#level === 'none' || this.#keep.has(id) || id === this.#graph.output) return null;
    const readers = this.#readers.get(id) ?? [];
    return readers.length === 1 && !this.#claimed.has(readers[0]) ? readers[0] : null;
  }

  /** Whether a node's value need not be written if all of its readers compute it themselves. */
  #readOnlyBy(id: NodeId, can: (reader: GraphNode) => boolean): boolean {
    if (this.#level === 'none' || this.#keep.has(id) || id === this.#graph.output) return false;
    return (this.#readers.get(id) ?? []).every((reader) => can(this.#graph.nodes[reader]));
  }

  #absorb(inner: readonly NodeId[]): void {
    for (const id of inner) this.#claimed.set(id, null);
  }

  #name(id: NodeId): string {
    return this.#graph.nodes[id].name;
  }
}

function pointwise(
  node: Node<'mul' | 'add' | 'mix' | 'activation'>,
  name: string,
  y: NodeId,
  activation: Activation | null,
): FusedOp {
  const [a, b = null, w = null] = node.inputs;
  return {
    op: 'pointwise',
    name,
    fn: node.op === 'activation' ? 'copy' : node.op,
    reads: { a, b, w },
    writes: { y },
    factor: node.op === 'add' ? node.factor : 1,
    activation,
    multiplyAdds: 0,
  };
}

/** Whether one invocation can hold a query and its result. */
const attendsInOne = ({ channels, heads }: Node<'groupScores'>): boolean => channels / heads <= 64;

const unpackOp = (y: NodeId): FusedOp => ({
  op: 'unpack',
  name: 'unpack',
  reads: {},
  writes: { y },
  multiplyAdds: 0,
});

const sumOf = (nodes: readonly GraphNode[]): number =>
  nodes.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);

/** The operand of a binary node that is not `id`. */
const other = (node: GraphNode, id: NodeId): NodeId =>
  node.inputs[0] === id ? node.inputs[1] : node.inputs[0];
