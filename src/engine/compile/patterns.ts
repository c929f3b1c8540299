import type { Activation, GraphNode, NodeId } from '../../graph/graph.ts';
import type { Fuser } from './fuse.ts';
import type { NodeOf } from './fused.ts';

type ConvNode = NodeOf<'conv'>;
type LeakyNode = NodeOf<'activation'> & { readonly activation: { readonly slope: number } };

/** An attention-in-attention block, which becomes an `AttentionGateOp` and an `AttentionMixOp`. */
export interface AttentionBlock
  extends Readonly<Record<'first' | 'k1' | 'k2' | 'k3' | 'k4' | 'non' | 'last', ConvNode>> {
  /** The block's input and output. */
  readonly x: NodeId;
  readonly out: NodeId;
  /** The value `lrelu(first(x))`, which `AttentionGateOp` and `AttentionMixOp` both read. */
  readonly t: NodeId;
  /**
   * The product of the gate and the result of `k3`. It is the only map that `AttentionGateOp`
   * passes to `AttentionMixOp`.
   */
  readonly gated: NodeId;
  readonly w1: NodeOf<'linear'>;
  readonly w2: NodeOf<'linear'>;
  readonly features: number;
  readonly slope: number;
  readonly temperature: number;
  /**
   * The id of `first`. If the previous block's `AttentionMixOp` computes `t`, it also computes
   * `first`. No separate op is then created for `first`.
   */
  readonly firstId: NodeId;
  /** Nodes whose values are never written to memory. */
  readonly inner: readonly NodeId[];
}

/** Pixel attention: a convolution whose result is gated by a 1x1 convolution of that result. */
export interface GatedConv {
  readonly conv: ConvNode;
  readonly gate: ConvNode;
  readonly last: NodeId;
  readonly activation: Activation | null;
  readonly inner: readonly NodeId[];
}

/** The end of a network: a 3x3 convolution to RGB plus the bilinear enlargement of the input. */
export interface SkipOutput {
  readonly conv: ConvNode;
  /** The network's input, which is enlarged by the factor `scale`. */
  readonly skip: NodeId;
  readonly scale: number;
  readonly inner: readonly NodeId[];
}

/**
 * Finds patterns in a graph. A pattern matches only if no node outside it reads the values of its
 * inner nodes.
 */
export class PatternFinder {
  readonly #fuser: Fuser;
  readonly #fits: (channels: number) => boolean;

  /** @param fits whether a kernel can hold a tile with this many channels */
  constructor(fuser: Fuser, fits: (channels: number) => boolean) {
    this.#fuser = fuser;
    this.#fits = fits;
  }

  /**
   * Returns the block that ends in node `out`, or null. The output of such a block has the form
   * `x + last(lrelu(mix(k4(gated), non(t), p)))`, and the search goes backwards from it.
   */
  attentionBlock(out: NodeId): AttentionBlock | null {
    const end = this.#node(out, 'add');
    if (end?.factor !== 1) return null;
    const [x, lastId] = end.inputs;
    const last = this.#conv(lastId, 1, false);
    const mixAct = last && this.#leaky(last.inputs[0]);
    const mix = mixAct && this.#node(mixAct.inputs[0], 'mix');
    if (!last || !mixAct || !mix) return null;
    const [k4Id, nonId, pId] = mix.inputs;
    const k4 = this.#conv(k4Id, 3, false);
    const non = this.#conv(nonId, 3, false) ?? this.#conv(nonId, 1, false);
    const gated = k4 && this.#node(k4.inputs[0], 'mul');
    if (!k4 || !non || !gated) return null;
    const [k3Id, gateId] = gated.inputs;
    const k3 = this.#conv(k3Id, 3, false);
    const gate = this.#node(gateId, 'activation');
    const k2 = gate?.activation.fn === 'sigmoid' ? this.#conv(gate.inputs[0], 1, true) : null;
    const k1Act = k2 && this.#leaky(k2.inputs[0]);
    const k1 = k1Act && this.#conv(k1Act.inputs[0], 3, false);
    if (!k3 || !gate || !k2 || !k1Act || !k1) return null;
    const [t] = k1.inputs;
    const tAct = this.#leaky(t);
    const first = tAct && this.#conv(tAct.inputs[0], 1, false);
    const softmax = this.#node(pId, 'softmax');
    const w2 = softmax && this.#node(softmax.inputs[0], 'linear');
    const relu = w2 && this.#node(w2.inputs[0], 'activation');
    const w1 = relu?.activation.fn === 'relu' ? this.#node(relu.inputs[0], 'linear') : null;
    const pool = w1 && this.#node(w1.inputs[0], 'globalAveragePool');
    if (!tAct || !first || !softmax || !w2 || !relu || !w1 || !pool) return null;

    const features = first.cOut;
    const convs = [first, k1, k2, k3, k4, non, last];
    const slopes = [mixAct, k1Act, tAct].map(({ activation }) => activation.slope);
    const sound =
      w1.lengthOut <= features &&
      w1.bias === null &&
      w2.bias === null &&
      convs.every((conv) => conv.cIn === features && conv.cOut === features) &&
      slopes.every((slope) => slope === slopes[0]) &&
      [k3.inputs[0], non.inputs[0], pool.inputs[0]].every((id) => id === t) &&
      first.inputs[0] === x;
    const inner = [
      ...[lastId, last.inputs[0], mixAct.inputs[0], k4Id, nonId, k3Id, gateId],
      ...[gate.inputs[0], k2.inputs[0], k1Act.inputs[0]],
      ...[pId, softmax.inputs[0], w2.inputs[0], relu.inputs[0], w1.inputs[0]],
    ];
    if (!this.#fits(features) || !sound || !inner.every((id) => this.#private(id))) return null;
    return {
      x,
      out,
      t,
      gated: k4.inputs[0],
      first,
      k1,
      k2,
      k3,
      k4,
      non,
      last,
      w1,
      w2,
      features,
      slope: slopes[0],
      temperature: softmax.temperature,
      firstId: tAct.inputs[0],
      inner,
    };
  }

  /** Returns the pixel attention that starts with convolution `id`, or null. */
  gatedConv(id: NodeId): GatedConv | null {
    const conv = this.#node(id, 'conv');
    const readers = this.#fuser.readersOf(id);
    if (conv?.kernel !== 3 || readers.length !== 2) {
      return null;
    }
    const [gateId, mulId] = readers;
    const gate = this.#node(gateId, 'conv');
    const sigmoidId = this.#fuser.onlyReader(gateId);
    if (!gate || sigmoidId === null || !this.#private(sigmoidId)) return null;
    const sigmoid = this.#node(sigmoidId, 'activation');
    const mul = this.#node(mulId, 'mul');
    const matches =
      gate.kernel === 1 &&
      gate.cOut === conv.cOut &&
      sigmoid?.activation.fn === 'sigmoid' &&
      mul?.inputs.includes(id) &&
      mul.inputs.includes(sigmoidId);
    if (!this.#fits(conv.cOut) || this.#fuser.keep.has(id) || !matches) return null;
    const next = this.#fuser.onlyReader(mulId);
    const follower = next === null ? null : this.#node(next, 'activation');
    const activation = follower?.activation ?? null;
    return {
      conv,
      gate,
      activation,
      last: follower && next !== null ? next : mulId,
      inner: [id, gateId, sigmoidId, ...(follower ? [mulId] : [])],
    };
  }

  /**
   * Returns the end of the graph if it is a convolution to RGB plus the bilinearly enlarged input.
   * Otherwise, returns null.
   */
  skipOutput(): SkipOutput | null {
    const { graph, keep } = this.#fuser;
    const { nodes, output } = graph;
    const add = this.#node(output, 'add');
    if (add?.factor !== 1 || keep.has(output)) return null;
    const [convId, skipId] = add.inputs;
    const conv = this.#conv(convId, 3, true);
    const skip = this.#node(skipId, 'bilinear');
    const inner = [convId, skipId];
    if (!conv || !skip || !inner.every((id) => this.#private(id))) return null;
    const fromInput = nodes[skip.inputs[0]].op === 'input';
    const direct = nodes[conv.inputs[0]].op !== 'nearest';
    if (!fromInput || !direct || conv.cOut !== 3) return null;
    return { conv, skip: skip.inputs[0], scale: skip.scale, inner };
  }

  /**
   * Returns whether this node's value has exactly one reader, is not in `keep`, and is not the
   * graph's output.
   */
  #private(id: NodeId): boolean {
    return this.#fuser.onlyReader(id) !== null;
  }

  #node<K extends GraphNode['op']>(id: NodeId, op: K): NodeOf<K> | null {
    const node = this.#fuser.graph.nodes[id];
    return node.op === op ? (node as NodeOf<K>) : null;
  }

  #conv(id: NodeId, kernel: 1 | 3, bias: boolean): ConvNode | null {
    const conv = this.#node(id, 'conv');
    return conv && conv.kernel === kernel && (conv.bias !== null) === bias ? conv : null;
  }

  #leaky(id: NodeId): LeakyNode | null {
    const node = this.#node(id, 'activation');
    return node?.activation.fn === 'leakyRelu' ? (node as LeakyNode) : null;
  }
}
