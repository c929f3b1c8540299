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
  convLayer,
  type FusedGraph,
  type FusedOp,
  linearLayer,
  type NodeOf,
  type PRelu,
  sumOf,
} from './fused.ts';

/**
 * Fusion levels. `none` creates one fused op per node and is the reference for testing the other
 * levels. `ops` combines convolutions with their epilogues and fuses other small patterns. `blocks`
 * also fuses whole attention-in-attention blocks, pixel attention and the end of the network
 * (`blocks.ts`).
 */
export type Fusion = 'none' | 'ops' | 'blocks';

export interface FuseOptions {
  /** The default is `ops`. */
  readonly fuse?: Exclude<Fusion, 'blocks'>;
  /**
   * Nodes whose values must be written to memory. They are not fused with the nodes that read them.
   */
  readonly keep?: ReadonlySet<NodeId>;
  /**
   * If `image` is given, the ops also convert the input from pixels and the result to pixels. The
   * pixels have 16 bits per sample if `wide` is set.
   */
  readonly image?: { readonly wide?: boolean } | undefined;
  /**
   * Returns whether the backend's kernels implement an activation. Activations for which it returns
   * false are not fused. By default, all activations are fused.
   */
  readonly activates?: (activation: Activation) => boolean;
  /**
   * Whether the backend's convolution kernels can also compute a `mix`, the weighted sum of their
   * result and another map. The default is false.
   */
  readonly mixes?: boolean;
}

/** Fuses the nodes that one kernel can compute together. This is a pure function. */
export function fuse(graph: Graph, options: FuseOptions = {}): FusedGraph {
  return new Fuser(graph, options).fused();
}

/**
 * Fuses a graph. Code that fuses larger patterns must register its ops with `claim` and `absorb`
 * before it calls `fused`.
 */
export class Fuser {
  readonly graph: Graph;
  readonly keep: ReadonlySet<NodeId>;
  readonly image: FuseOptions['image'];
  readonly #readers: ReadonlyMap<NodeId, readonly NodeId[]>;
  readonly #isFusing: boolean;
  readonly #activates: (activation: Activation) => boolean;
  readonly #mixes: boolean;
  /** The op that is emitted at each node, or null if the node is inside another node's op. */
  readonly #claimed = new Map<NodeId, FusedOp | null>();

  constructor(graph: Graph, { fuse, keep, image, activates, mixes }: FuseOptions) {
    this.graph = graph;
    this.keep = keep ?? new Set();
    this.image = image;
    this.#readers = consumers(graph);
    this.#isFusing = fuse !== 'none';
    this.#activates = activates ?? (() => true);
    this.#mixes = mixes ?? false;
  }

  /** Assigns an op to `id`, the last node that the op computes. */
  claim(id: NodeId, op: FusedOp): void {
    this.#claimed.set(id, op);
  }

  /** Records that another node's op computes these nodes. */
  absorb(inner: readonly NodeId[]): void {
    for (const id of inner) this.#claimed.set(id, null);
  }

  /**
   * Fuses the remaining nodes. Each op is emitted at the position of its last node, because all of
   * its operands exist by then.
   */
  fused(): FusedGraph {
    const { nodes, output } = this.graph;
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
      if (node.op === 'input') {
        const unpack = { op: 'unpack', name: 'unpack', reads: {}, multiplyAdds: 0 } as const;
        return this.image ? [{ ...unpack, writes: { y: id } }] : [];
      }
      return [this.#alone(node, id)];
    });
    if (this.image && this.#claimed.get(output)?.op !== 'skipPack') {
      ops.push({ op: 'pack', name: 'pack', reads: { x: output }, writes: {}, multiplyAdds: 0 });
    }
    const inputs = nodes.flatMap(({ op }, id) => (op === 'input' ? [id] : []));
    return { graph: this.graph, ops, inputs };
  }

  /**
   * Fuses `conv [activation] [mul other] [add other] [activation]` into one op. A nearest-neighbour
   * enlargement or a concatenation can come first. The pattern can contain a `mix` instead of `mul`
   * and `add`. If the convolution reads a concatenation, `mul` and `mix` are not fused, because the
   * kernel for concatenated maps has no binding for a multiplier. This kernel can read at most
   * `MAX_PARTS` maps. If it already reads that many, an `add` is fused only if `other` is one of
   * them.
   */
  #claimConv(node: NodeOf<'conv'>, id: NodeId): void {
    const parts = this.partsOf(node);
    if (parts) this.absorb(node.inputs);
    let last = id;
    let act0: Activation | PRelu | null = null;
    let act1: Activation | null = null;
    let multiplier: NodeId | null = null;
    let addend: NodeId | null = null;
    let factor = 1;
    let mix: 0 | 1 | undefined;
    const canScale = () =>
      parts === null && multiplier === null && addend === null && act1 === null;
    const canBind = (id: NodeId) => !parts || parts.includes(id) || parts.length < MAX_PARTS;
    for (let next = this.#follower(last); next !== null; next = this.#follower(last)) {
      const follower = this.graph.nodes[next];
      const squares = follower.inputs[0] === follower.inputs[1];
      if (squares) break; // Both operands are this value, so it would have to be written to memory.
      if (follower.op === 'activation' && act1 === null) {
        if (!this.#activates(follower.activation)) break;
        const first = act0 === null && multiplier === null && addend === null;
        if (first) act0 = follower.activation;
        else act1 = follower.activation;
      } else if (follower.op === 'prelu' && last === id) {
        act0 = { fn: 'prelu', slopes: follower.weight };
      } else if (follower.op === 'mul' && canScale()) {
        multiplier = other(follower, last);
      } else if (follower.op === 'mix' && this.#mixes && canScale()) {
        multiplier = follower.inputs[2];
        addend = other(follower, last);
        mix = follower.inputs[0] === last ? 0 : 1;
      } else if (follower.op === 'add' && addend === null && act1 === null) {
        const summand = other(follower, last);
        // An `add` computes `a + factor * b`. The kernel can multiply only the convolution's result
        // by `factor`, so this result must be `b` unless `factor` is 1.
        const scalable = follower.factor === 1 || follower.inputs[1] === last;
        if (!scalable || !canBind(summand)) break;
        addend = summand;
        factor = follower.factor;
      } else break;
      this.absorb([last]);
      last = next;
    }
    const { upsample, source } = this.readThrough(node);
    this.claim(last, {
      op: 'conv',
      name: this.name(last),
      reads: { x: parts ?? [source], multiplier, addend },
      writes: { y: last },
      ...convLayer(node),
      upsample,
      act0,
      factor,
      act1,
      mix,
      multiplyAdds: node.multiplyAdds,
    });
  }

  /** Returns the parts of the input if it is a concatenation that only convolutions read. */
  partsOf({ inputs: [source] }: NodeOf<'conv'>): readonly NodeId[] | null {
    const from = this.graph.nodes[source];
    const isRead = from.op === 'concat' && this.#readOnlyBy(source, ({ op }) => op === 'conv');
    return isRead ? from.inputs : null;
  }

  /**
   * Lets a 3x3 convolution read the input of a nearest-neighbour enlargement directly, unless the
   * enlarged map must be written to memory.
   */
  readThrough({ kernel, inputs: [source] }: NodeOf<'conv'>): { upsample: number; source: NodeId } {
    const from = this.graph.nodes[source];
    const through =
      kernel === 3 &&
      from.op === 'nearest' &&
      this.#readOnlyBy(source, (reader) => reader.op === 'conv' && reader.kernel === 3);
    if (!through) return { upsample: 1, source };
    this.absorb([source]);
    return { upsample: from.scale, source: from.inputs[0] };
  }

  /**
   * Fuses a `groupMix` op with the `groupScores` op whose scores it reads. Does nothing if another
   * op reads the scores.
   */
  #claimAttention(mix: NodeOf<'groupMix'>, id: NodeId): void {
    const [values, from] = mix.inputs;
    const scores = this.graph.nodes[from];
    const alone = scores.op === 'groupScores' && this.#follower(from) === id;
    if (!alone || scores.inputs[1] !== values || !attendsInOne(scores)) return;
    this.absorb([from]);
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

  /** Fuses a `mul`, `add` or `mix` with the activation that follows it. */
  #claimPointwise(node: NodeOf<'mul' | 'add' | 'mix'>, id: NodeId): void {
    const next = this.#follower(id);
    const follower = next === null ? null : this.graph.nodes[next];
    if (next === null || follower?.op !== 'activation') return;
    if (!this.#activates(follower.activation)) return;
    this.absorb([id]);
    this.#claimed.set(next, pointwise(node, this.name(next), next, follower.activation));
  }

  /**
   * Fuses the dynamic attention module of A2N into one op. The module consists of five nodes: a
   * global average pool, a linear layer, a ReLU, another linear layer and a softmax.
   */
  #claimDynamicWeights(pool: NodeOf<'globalAveragePool'>, id: NodeId): void {
    const chain = [id];
    for (let next = this.#follower(id); next !== null; next = this.#follower(next))
      chain.push(next);
    const [, first, relu, second, softmax] = chain.map((i) => this.graph.nodes[i]);
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
    this.absorb(chain.slice(0, 4));
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

  /** Creates the op for a node that is not part of a larger op. */
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

  /**
   * Returns the only node that reads `id`. Returns null if no node or several nodes read it, if the
   * reader is already part of an op, or if the value of `id` must be written to memory.
   */
  #follower(id: NodeId): NodeId | null {
    const reader = this.onlyReader(id);
    return reader !== null && !this.#claimed.has(reader) ? reader : null;
  }

  /**
   * Returns the only node that reads `id`. Returns null if no node or several nodes read it, or if
   * the value of `id` must be written to memory.
   */
  onlyReader(id: NodeId): NodeId | null {
    const readers = this.readersOf(id);
    return this.#isInner(id) && readers.length === 1 ? readers[0] : null;
  }

  readersOf(id: NodeId): readonly NodeId[] {
    return this.#readers.get(id) ?? [];
  }

  /** Whether ops are fused and the value of `id` does not have to be written to memory. */
  #isInner(id: NodeId): boolean {
    return this.#isFusing && !this.keep.has(id) && id !== this.graph.output;
  }

  /**
   * Returns whether the callback returns true for all nodes that read `id`. Returns false if the
   * value of `id` must be written to memory.
   */
  #readOnlyBy(id: NodeId, can: (reader: GraphNode) => boolean): boolean {
    return this.#isInner(id) && this.readersOf(id).every((reader) => can(this.graph.nodes[reader]));
  }

  name(id: NodeId): string {
    return this.graph.nodes[id].name;
  }
}

function pointwise(
  node: NodeOf<'mul' | 'add' | 'mix' | 'activation'>,
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

/** Whether one invocation can hold a query and its result in registers. */
const attendsInOne = ({ channels, heads }: NodeOf<'groupScores'>): boolean =>
  channels / heads <= 64;

/** Takes one of a node's first two operands and returns the other one. */
const other = (node: GraphNode, id: NodeId): NodeId =>
  node.inputs[0] === id ? node.inputs[1] : node.inputs[0];
