/**
 * A fused graph: what the compiler decides before it knows of any backend. It is a list of ops in the
 * order in which they run. Each does what one or several nodes of the graph do, reads and writes named
 * values, and names the weights that it needs. The GPU backend turns each op into dispatches (`emit/`);
 * a CPU backend can run the same list with loops.
 *
 * A *value* is that of a node of the graph, and its id is the node's. `graph.nodes[id]` has its name
 * and shape: a feature map [channels][height * scale][width * scale] for an LR image of width x height,
 * a vector, or a table (`graph/nonlocalOp.ts`). How a backend lays a value out in memory is its own
 * affair. Nodes that no op writes lie within a fused op and have no value.
 *
 * Weights are named as in the checkpoint and have PyTorch's layout: a convolution's are
 * [cOut][cIn][kernel][kernel], a linear layer's [lengthOut][lengthIn], biases and slopes [channels].
 */
import type { Activation, Graph, GraphNode, MapShape, NodeId } from '../../graph/graph.ts';
import type { Op, OpOf } from '../../graph/ops.ts';

/** Index in `Graph.nodes`. */
export type ValueId = NodeId;

/** v >= 0 ? v : slope[channel] * v, with the slopes under `slopes`. */
export interface PRelu {
  readonly fn: 'prelu';
  readonly slopes: string;
}

/** A convolution of a graph, as a part of a fused op: zero-padded, stride 1, same size. */
export interface ConvLayer {
  readonly kernel: 1 | 3;
  readonly cIn: number;
  readonly cOut: number;
  readonly weight: string;
  /** Null: no bias. */
  readonly bias: string | null;
}

/** y[o] = sum over i of weight[o][i] * x[i]. */
export interface LinearLayer {
  readonly weight: string;
  readonly lengthIn: number;
  readonly lengthOut: number;
}

interface Fused {
  /** Name of the last node that the op computes. */
  readonly name: string;
  /** Multiply-adds of its convolutions and attentions per LR pixel. */
  readonly multiplyAdds: number;
}

/**
 * y = act1(factor * act0(conv(x) + bias) * multiplier + addend); what is null is left out.
 *
 * `x` is one map, which is enlarged by `upsample` (nearest) before it is convolved, or two to five maps
 * of one size, whose channels follow one another as if they had been concatenated. A convolution of
 * several maps enlarges nothing and has no multiplier.
 */
export interface ConvOp extends Fused, ConvLayer {
  readonly op: 'conv';
  readonly reads: {
    readonly x: readonly ValueId[];
    readonly multiplier: ValueId | null;
    readonly addend: ValueId | null;
  };
  readonly writes: { readonly y: ValueId };
  /** Whole factor of the nearest enlargement; 1 for none, and for 1x1 convolutions. */
  readonly upsample: number;
  readonly act0: Activation | PRelu | null;
  /** 1 where nothing is added. */
  readonly factor: number;
  readonly act1: Activation | null;
}

/**
 * Element by element: y = activation(f), where f is a (`copy`), a * b (`mul`), a + factor * b (`add`) or
 * w[0] * a + w[1] * b (`mix`, with a vector of two weights).
 */
export interface PointwiseOp extends Fused {
  readonly op: 'pointwise';
  readonly fn: 'copy' | 'mul' | 'add' | 'mix';
  readonly reads: {
    readonly a: ValueId;
    /** Null for `copy`. */
    readonly b: ValueId | null;
    /** For `mix` alone. */
    readonly w: ValueId | null;
  };
  readonly writes: { readonly y: ValueId };
  readonly factor: number;
  readonly activation: Activation | null;
}

/**
 * The dynamic attention module: softmax(second(relu(first(pool(x)))) / temperature), map -> vector.
 */
export interface DynamicWeightsOp extends Fused, OneToOne {
  readonly op: 'dynamicWeights';
  readonly first: LinearLayer;
  readonly second: LinearLayer;
  readonly temperature: number;
}

/** The activation of each element of a vector. */
export interface VectorActivationOp extends Fused, OneToOne {
  readonly op: 'vectorActivation';
  readonly activation: Activation;
}

/**
 * Level `blocks` alone. The first half of an attention-in-attention block:
 * gated = k3(t) * sigmoid(k2(lrelu(k1(t)))), where only k2 has a bias. Beside it the op prepares the
 * pooling of t for the second half.
 */
export interface AttentionGateOp extends Fused {
  readonly op: 'attentionGate';
  readonly reads: { readonly t: ValueId };
  readonly writes: { readonly gated: ValueId };
  readonly k1: ConvLayer;
  readonly k2: ConvLayer;
  readonly k3: ConvLayer;
  /** Channels of every map. */
  readonly features: number;
  /** Of every leaky ReLU. */
  readonly slope: number;
}

/**
 * Level `blocks` alone. The second half: with the two weights
 * w = softmax(w2(relu(w1(pool(t)))) / temperature),
 * out = x + last(lrelu(w[0] * k4(gated) + w[1] * non(t))), and, where a block follows that reads the
 * result alone, that block's nextT = lrelu(first(out)). No convolution has a bias.
 */
export interface AttentionMixOp extends Fused {
  readonly op: 'attentionMix';
  readonly reads: { readonly gated: ValueId; readonly t: ValueId; readonly x: ValueId };
  readonly writes: { readonly out: ValueId; readonly nextT: ValueId | null };
  readonly k4: ConvLayer;
  readonly non: ConvLayer;
  readonly last: ConvLayer;
  /** The next block's; null without `nextT`. */
  readonly first: ConvLayer | null;
  readonly w1: LinearLayer;
  readonly w2: LinearLayer;
  readonly temperature: number;
  readonly features: number;
  readonly slope: number;
}

/** Level `blocks` alone. Pixel attention: y = activation(v * sigmoid(gate(v))), v = conv(nearest(x)). */
export interface GatedConvOp extends Fused, OneToOne {
  readonly op: 'gatedConv';
  readonly conv: ConvLayer;
  readonly gate: ConvLayer;
  readonly upsample: number;
  readonly activation: Activation | null;
}

/** 8-bit or 16-bit pixels of the LR image as the network's input, of values from 0 to its range. */
export interface UnpackOp extends Fused {
  readonly op: 'unpack';
  readonly reads: Record<never, ValueId>;
  readonly writes: { readonly y: ValueId };
}

/** The network's output as pixels: clamped, rounded, with alpha and colours of the LR image. */
export interface PackOp extends Fused {
  readonly op: 'pack';
  readonly reads: { readonly x: ValueId };
  readonly writes: Record<never, ValueId>;
}

/**
 * Level `blocks` alone. The end of a network, as 8-bit pixels: conv(x) + bilinear(skip), where `skip`
 * is the network's input and `scale` its enlargement.
 */
export interface SkipPackOp extends Fused {
  readonly op: 'skipPack';
  readonly reads: { readonly x: ValueId; readonly skip: ValueId };
  readonly writes: Record<never, ValueId>;
  readonly conv: ConvLayer;
  readonly scale: number;
}

interface OneToOne {
  readonly reads: { readonly x: ValueId };
  readonly writes: { readonly y: ValueId };
}

/** Ops of the graph that the compiler takes apart or puts together: they become one of the above. */
type Woven = 'input' | 'conv' | 'activation' | 'mul' | 'add' | 'mix';

type Lone<K extends Op['op']> = K extends K
  ? Fused &
      OpOf<K> & {
        readonly reads: { readonly inputs: readonly ValueId[] };
        readonly writes: { readonly y: ValueId };
      }
  : never;

/**
 * Any other op of the graph, by itself: its type has the formula (`graph/ops.ts`), and `inputs` are in
 * the order that it states. A new op is one of these until somebody fuses it.
 */
export type LoneOp = Lone<Exclude<Op['op'], Woven>>;

export type FusedOp =
  | ConvOp
  | PointwiseOp
  | DynamicWeightsOp
  | VectorActivationOp
  | LoneOp
  | AttentionGateOp
  | AttentionMixOp
  | GatedConvOp
  | UnpackOp
  | PackOp
  | SkipPackOp;

/** A fused op of one kind. */
export type FusedOpOf<K extends FusedOp['op']> = FusedOp & { readonly op: K };

export interface FusedGraph {
  readonly graph: Graph;
  /** In an order in which every value is written before it is read. */
  readonly ops: readonly FusedOp[];
  /** Nodes that have a value before the first op, unless an `unpack` makes it: the inputs. */
  readonly inputs: readonly ValueId[];
}

type Named = Readonly<Record<string, ValueId | readonly ValueId[] | null>>;

const listed = (values: Named): ValueId[] =>
  Object.values(values).flatMap((value): readonly ValueId[] =>
    value === null ? [] : typeof value === 'number' ? [value] : value,
  );

/** The values that an op reads; one that it reads twice is there twice. */
export const readsOf = ({ reads }: FusedOp): ValueId[] => listed({ ...reads });

export const writesOf = ({ writes }: FusedOp): ValueId[] => listed({ ...writes });

/** From the op that writes a value (-1: there from the start) to the last that reads it. */
export interface Lifetime {
  readonly first: number;
  /** Index in `ops`; their number for the output and for values that somebody wants to see. */
  readonly last: number;
}

/** How long each value is needed. @param keep values that are read after the last op */
export function lifetimes(
  { graph, ops, inputs }: FusedGraph,
  keep: ReadonlySet<ValueId> = new Set(),
): ReadonlyMap<ValueId, Lifetime> {
  const lives = new Map<ValueId, Lifetime>(inputs.map((id) => [id, { first: -1, last: -1 }]));
  ops.forEach((op, index) => {
    for (const id of writesOf(op)) lives.set(id, { first: index, last: index });
    for (const id of readsOf(op)) {
      lives.set(id, { first: lives.get(id)?.first ?? index, last: index });
    }
  });
  for (const id of [...keep, graph.output]) {
    const life = lives.get(id);
    if (life) lives.set(id, { ...life, last: ops.length });
  }
  return lives;
}

/** The shape of a node's feature map. */
export function mapShape({ nodes }: Graph, id: NodeId): MapShape {
  const { shape, name } = nodes[id];
  if (shape.kind !== 'map') throw new Error(`${name} is not a feature map`);
  return shape;
}

/** A convolution of the graph without what belongs to its node. */
export const convLayer = ({
  kernel,
  cIn,
  cOut,
  weight,
  bias,
}: GraphNode & { op: 'conv' }): ConvLayer => ({ kernel, cIn, cOut, weight, bias });
