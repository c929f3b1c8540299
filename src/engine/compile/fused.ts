/**
 * A fused graph is the form of a graph that both backends execute. It is a list of ops in execution
 * order. Each op computes one or more nodes of the graph, and lists the values that it reads and
 * writes and the weights that it uses. The GPU backend turns each op into dispatches (`emit/`). The
 * CPU backend computes the ops in WebAssembly or TypeScript (`src/cpu/`).
 *
 * A *value* is the result of a graph node and has the id of that node. `graph.nodes[id]` states its
 * name and shape. A value is a vector, a table (`graph/nonlocalOp.ts`) or a feature map. For an LR
 * image of `width` x `height` pixels, a map has the shape
 * [channels][height * scale][width * scale]. Backends choose the memory layout. If no op writes a
 * node's value, the node is an input or is inside a fused op.
 *
 * Weights keep their names from the network's checkpoint and have PyTorch's layout:
 * [cOut][cIn][kernel][kernel] for a convolution, [lengthOut][lengthIn] for a linear layer,
 * [channels] for biases and slopes.
 */
import type { Activation, Graph, GraphNode, MapShape, NodeId } from '../../graph/graph.ts';
import type { Op, OpOf } from '../../graph/ops.ts';
import { mapOf } from '../../graph/shape.ts';

/** The index of a node in `Graph.nodes`. */
export type ValueId = NodeId;

/** A node with an op of one kind. */
export type NodeOf<K extends GraphNode['op']> = GraphNode & { readonly op: K };

/**
 * Computes `v >= 0 ? v : slope[channel] * v` for each value `v`. `slopes` names the weight that
 * holds the slopes.
 */
export interface PRelu {
  readonly fn: 'prelu';
  readonly slopes: string;
}

/**
 * A convolution node that is part of a fused op. It has zero padding and stride 1, so its input and
 * output have the same size.
 */
export interface ConvLayer {
  readonly kernel: 1 | 3;
  readonly cIn: number;
  readonly cOut: number;
  readonly weight: string;
  /** Null if there is no bias. */
  readonly bias: string | null;
}

/** A linear layer: `y[o]` is the sum over `i` of `weight[o][i] * x[i]`. */
export interface LinearLayer {
  readonly weight: string;
  readonly lengthIn: number;
  readonly lengthOut: number;
}

interface Fused {
  /** The name of the last node that the op computes; for `unpack` and `pack`, the op's type. */
  readonly name: string;
  /** The number of multiply-adds per LR pixel in the op's convolutions and attention. */
  readonly multiplyAdds: number;
}

/**
 * Computes the following, without the parts that are null:
 *   y = act1(factor * act0(conv(x) + bias) * multiplier + addend)
 * If `mix` is given, `multiplier` is a vector of two weights, `addend` is not null, and the formula
 * is:
 *   y = act1(multiplier[mix] * act0(conv(x) + bias) + multiplier[1 - mix] * addend)
 *
 * `x` is either a single map or two to five maps of the same size. If `x` is a single map, it is
 * enlarged by the factor `upsample` (nearest-neighbour) before the convolution. If there are
 * several maps, they are concatenated along their channels, and there is no enlargement or
 * multiplier.
 */
export interface ConvOp extends Fused, ConvLayer {
  readonly op: 'conv';
  readonly reads: {
    readonly x: readonly ValueId[];
    readonly multiplier: ValueId | null;
    readonly addend: ValueId | null;
  };
  readonly writes: { readonly y: ValueId };
  /**
   * The integer factor of the nearest-neighbour enlargement. It is 1 if there is no enlargement. A
   * 1x1 convolution never has an enlargement.
   */
  readonly upsample: number;
  readonly act0: Activation | PRelu | null;
  /**
   * The number called `factor` in the first formula above. It is 1 if there is no `addend` or if
   * `mix` is given.
   */
  readonly factor: number;
  /**
   * Set if a `mix` node is fused with the convolution. It is 0 if the convolution's result is the
   * first input of that node, and 1 if it is the second. The compiler fuses a `mix` only if the
   * backend supports it (`FuseOptions.mixes`).
   */
  readonly mix?: 0 | 1 | undefined;
  readonly act1: Activation | null;
}

/**
 * An elementwise op: `y = activation(f)`, where `f` is `a` (`copy`), `a * b` (`mul`),
 * `a + factor * b` (`add`) or `w[0] * a + w[1] * b` (`mix`, with a vector `w` of two weights).
 */
export interface PointwiseOp extends Fused {
  readonly op: 'pointwise';
  readonly fn: 'copy' | 'mul' | 'add' | 'mix';
  readonly reads: {
    readonly a: ValueId;
    /** Null for `copy`. */
    readonly b: ValueId | null;
    /** Only for `mix`. */
    readonly w: ValueId | null;
  };
  readonly writes: { readonly y: ValueId };
  readonly factor: number;
  readonly activation: Activation | null;
}

/**
 * The dynamic attention module, which turns a map into a vector:
 * `softmax(second(relu(first(pool(x)))) / temperature)`.
 */
export interface DynamicWeightsOp extends Fused, OneToOne {
  readonly op: 'dynamicWeights';
  readonly first: LinearLayer;
  readonly second: LinearLayer;
  readonly temperature: number;
}

/**
 * The parameters of attention within groups. All except `first` are parameters of `groupScores`.
 * `first` is the channel of the map `kv` at which the attention's values begin.
 */
export interface AttentionSizes extends Omit<OpOf<'groupScores'>, 'op'> {
  readonly first: number;
}

/**
 * Attention within groups: `groupMix(kv, groupScores(q, kv))`. No other op reads the scores. The
 * inputs `q` and `kv` can be the same map.
 */
export interface GroupAttentionOp extends Fused, AttentionSizes {
  readonly op: 'groupAttention';
  readonly reads: { readonly inputs: readonly [q: ValueId, kv: ValueId] };
  readonly writes: { readonly y: ValueId };
}

/** Applies an activation to each element of a vector. */
export interface VectorActivationOp extends Fused, OneToOne {
  readonly op: 'vectorActivation';
  readonly activation: Activation;
}

/**
 * The first half of an attention-in-attention block, only at fusion level `blocks`:
 * `gated = k3(t) * sigmoid(k2(lrelu(k1(t))))`. Only `k2` has a bias. An earlier kernel
 * computes the sums of `t` over parts of the image. This op adds them up, because the second half
 * of the block needs the mean of `t`.
 */
export interface AttentionGateOp extends Fused {
  readonly op: 'attentionGate';
  readonly reads: { readonly t: ValueId };
  readonly writes: { readonly gated: ValueId };
  readonly k1: ConvLayer;
  readonly k2: ConvLayer;
  readonly k3: ConvLayer;
  /** The number of channels of every map. */
  readonly features: number;
  /** The slope of every leaky ReLU. */
  readonly slope: number;
}

/**
 * The second half of an attention-in-attention block, only at fusion level `blocks`:
 *   out = x + last(lrelu(p[0] * k4(gated) + p[1] * non(t)))
 * Here, `p = softmax(w2(relu(w1(pool(t)))) / temperature)` is a vector of two weights. If another
 * block with the same number of channels reads the result, the op also computes that block's `t`:
 * `nextT = lrelu(first(out))`. It does not do so if `first(out)` must be written to memory, because
 * the op would write only `nextT`. No convolution has a bias.
 */
export interface AttentionMixOp extends Fused {
  readonly op: 'attentionMix';
  readonly reads: { readonly gated: ValueId; readonly t: ValueId; readonly x: ValueId };
  readonly writes: { readonly out: ValueId; readonly nextT: ValueId | null };
  readonly k4: ConvLayer;
  readonly non: ConvLayer;
  readonly last: ConvLayer;
  /** The first layer of the next block. It is null if the op does not compute `nextT`. */
  readonly first: ConvLayer | null;
  readonly w1: LinearLayer;
  readonly w2: LinearLayer;
  readonly temperature: number;
  readonly features: number;
  readonly slope: number;
}

/**
 * Pixel attention, only at fusion level `blocks`: `y = activation(v * sigmoid(gate(v)))`, where `v`
 * is `conv(nearest(x))`.
 */
export interface GatedConvOp extends Fused, OneToOne {
  readonly op: 'gatedConv';
  readonly conv: ConvLayer;
  readonly gate: ConvLayer;
  readonly upsample: number;
  readonly activation: Activation | null;
}

/**
 * Converts the 8-bit or 16-bit pixels of the LR image to the network's input. The values of this
 * input are in the network's input range.
 */
export interface UnpackOp extends Fused {
  readonly op: 'unpack';
  readonly reads: Record<never, ValueId>;
  readonly writes: { readonly y: ValueId };
}

/**
 * Converts the network's output to pixels. The op clamps and rounds the values and adds alpha. For
 * luma networks, it also adds the LR image's colours.
 */
export interface PackOp extends Fused {
  readonly op: 'pack';
  readonly reads: { readonly x: ValueId };
  readonly writes: Record<never, ValueId>;
}

/**
 * The end of a network, only at fusion level `blocks`: `conv(x) + bilinear(skip)`, converted to
 * 8-bit pixels. `skip` is the network's input, and `scale` is the network's scale factor.
 */
export interface SkipPackOp extends Fused {
  readonly op: 'skipPack';
  readonly reads: { readonly x: ValueId; readonly skip: ValueId };
  readonly writes: Record<never, ValueId>;
  readonly conv: ConvLayer;
  readonly scale: number;
}

/** A layer norm over the channels of each pixel. */
export interface NormLayer {
  readonly epsilon: number;
  readonly weight: string;
  readonly bias: string;
}

/**
 * Computes `activation(conv(norm(x)))`, where `conv` is a 1x1 convolution. If `norm` is null, the
 * convolution reads `x` directly.
 */
export interface PixelLayer {
  readonly norm: NormLayer | null;
  readonly conv: ConvLayer;
  readonly activation: Activation | null;
}

/**
 * Only `merge.ts` creates the following ops, and only for the GPU. In these ops, `next` is a
 * further layer, which the op computes from its own result.
 *
 * A view of consecutive channels of a map, starting at channel `first`. Nothing is copied.
 */
export interface ViewOp extends Fused, OneToOne {
  readonly op: 'view';
  readonly first: number;
}

/**
 * A layer that reads the concatenation of up to four maps. The op can also compute a second layer,
 * `next`, which reads consecutive channels of the first layer's result, starting at `next.first`.
 */
export interface PixelLayerOp extends Fused, PixelLayer {
  readonly op: 'pixelLayer';
  readonly reads: { readonly x: readonly ValueId[] };
  readonly writes: { readonly y: ValueId; readonly next: ValueId | null };
  readonly next: (PixelLayer & { readonly first: number }) | null;
}

/**
 * Computes `y = r + conv(activation(u) * v)`. A 3x3 depthwise convolution of `x` yields `u` in the
 * first half of its output channels and `v` in the second half.
 */
export interface GatedProjectionOp extends Fused {
  readonly op: 'gatedProjection';
  readonly reads: { readonly x: ValueId; readonly r: ValueId };
  readonly writes: { readonly y: ValueId; readonly next: ValueId | null };
  readonly depthwise: DepthwiseLayer;
  readonly activation: Activation | null;
  readonly conv: ConvLayer;
  readonly next: PixelLayer | null;
}

/** A 3x3 depthwise convolution. */
export interface DepthwiseLayer {
  readonly weight: string;
  /** Null if there is no bias. */
  readonly bias: string | null;
}

/**
 * Computes `y = x + out(groupMix(values(norm(x)), scores))` with one head. If the op writes scores,
 * it computes them as `groupScores(queries(norm(x)), keys(norm(x)))`. In that case, the layer
 * `rows` computes queries, keys and values, with `channels` channels each. If the op reads scores,
 * `rows` computes only the values.
 */
export interface NormedAttentionOp extends Fused {
  readonly op: 'normedAttention';
  readonly reads: { readonly x: ValueId; readonly scores: ValueId | null };
  readonly writes: {
    readonly y: ValueId;
    readonly scores: ValueId | null;
    readonly next: ValueId | null;
  };
  readonly grouping: AttentionSizes['grouping'];
  readonly channels: number;
  readonly norm: NormLayer;
  /** This layer has no bias. */
  readonly rows: ConvLayer;
  /**
   * The position table for the scores that the op computes. It is null if there is no table or if
   * the scores are an input.
   */
  readonly table: string | null;
  readonly out: ConvLayer;
  readonly next: PixelLayer | null;
}

/** Computes `y = r + conv(channelAttention(x))` with one head. The convolution has no bias. */
export interface ProjectedAttentionOp extends Fused {
  readonly op: 'projectedAttention';
  readonly reads: { readonly x: ValueId; readonly r: ValueId };
  readonly writes: { readonly y: ValueId };
  readonly grouping: AttentionSizes['grouping'];
  readonly temperature: string;
  readonly conv: ConvLayer;
}

/**
 * Computes `y = r + conv(u * sigmoid(expand(inner(reduce(mean(u))))))`, where `u` is a 3x3
 * depthwise convolution of `x` followed by an activation. The linear layers have no bias.
 */
export interface WeighedProjectionOp extends Fused {
  readonly op: 'weighedProjection';
  readonly reads: { readonly x: ValueId; readonly r: ValueId };
  readonly writes: { readonly y: ValueId };
  readonly depthwise: DepthwiseLayer;
  readonly activation: Activation;
  readonly reduce: LinearLayer;
  readonly inner: Activation;
  readonly expand: LinearLayer;
  readonly conv: ConvLayer;
}

/**
 * Computes `y = x * sigmoid(gate(resize(small) + direct(a)))`, where `gate` and `direct` are 1x1
 * convolutions.
 */
export interface SpatialGateOp extends Fused {
  readonly op: 'spatialGate';
  readonly reads: { readonly x: ValueId; readonly small: ValueId; readonly a: ValueId };
  readonly writes: { readonly y: ValueId };
  readonly direct: ConvLayer;
  readonly gate: ConvLayer;
}

interface OneToOne {
  readonly reads: { readonly x: ValueId };
  readonly writes: { readonly y: ValueId };
}

/** Graph ops that the compiler splits or combines. They become ops of the types above. */
type Woven = 'input' | 'conv' | 'activation' | 'mul' | 'add' | 'mix';

type Lone<K extends Op['op']> = K extends K
  ? Fused &
      OpOf<K> & {
        readonly reads: { readonly inputs: readonly ValueId[] };
        readonly writes: { readonly y: ValueId };
      }
  : never;

/**
 * A graph op that is not fused with any other. The comment on its type in `graph/ops.ts` states
 * the formula and the order of `inputs`. A newly added graph op stays a `LoneOp` until the compiler
 * has code that fuses it.
 */
export type LoneOp = Lone<Exclude<Op['op'], Woven>>;

/** The ops that `merge.ts` creates. Only the GPU backend supports them. */
export type MergedOp =
  | ViewOp
  | PixelLayerOp
  | GatedProjectionOp
  | NormedAttentionOp
  | ProjectedAttentionOp
  | WeighedProjectionOp
  | SpatialGateOp;

export type FusedOp =
  | MergedOp
  | ConvOp
  | PointwiseOp
  | DynamicWeightsOp
  | VectorActivationOp
  | GroupAttentionOp
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
  /** Every value is written before it is read. */
  readonly ops: readonly FusedOp[];
  /** The input nodes. Their values exist before the first op, unless an `unpack` computes them. */
  readonly inputs: readonly ValueId[];
}

type Named = Readonly<Record<string, ValueId | readonly ValueId[] | null>>;

const listed = (values: Named): ValueId[] =>
  Object.values(values).flatMap((value): readonly ValueId[] =>
    value === null ? [] : typeof value === 'number' ? [value] : value,
  );

/** Returns the values that an op reads. A value that the op reads twice appears twice. */
export const readsOf = ({ reads }: FusedOp): ValueId[] => listed({ ...reads });

export const writesOf = ({ writes }: FusedOp): ValueId[] => listed({ ...writes });

/** The range from the op that writes a value to the last op that reads it. */
export interface Lifetime {
  readonly first: number;
  /**
   * The index in `ops` of the last op that needs the value. It is the length of `ops` for the
   * graph's output and for other values that are read after the last op.
   */
  readonly last: number;
}

/**
 * Returns the lifetime of each value. `first` is -1 for values that exist before the first op runs.
 * @param keep values that are read after the last op
 */
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

/** Returns the shape of a node's feature map. */
export const mapShape = ({ nodes }: Graph, id: NodeId): MapShape =>
  mapOf(nodes[id].shape, nodes[id].name);

/** Returns the sum of the multiply-adds of nodes or ops. */
export const sumOf = (parts: readonly Pick<Fused, 'multiplyAdds'>[]): number =>
  parts.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);

/** Returns the `ConvLayer` of a convolution node or op, without its other properties. */
export const convLayer = ({ kernel, cIn, cOut, weight, bias }: ConvLayer): ConvLayer => ({
  kernel,
  cIn,
  cOut,
  weight,
  bias,
});

/** Returns the `LinearLayer` for a linear node or op whose input has `lengthIn` values. */
export const linearLayer = (
  { weight, lengthOut }: Omit<LinearLayer, 'lengthIn'>,
  lengthIn: number,
): LinearLayer => ({ weight, lengthIn, lengthOut });
