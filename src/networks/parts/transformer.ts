/** The blocks that the lightweight transformers ASID and OmniSR share. */
import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { TransformerBuilder } from '../../graph/transformer.ts';

/** The names of a local block's layers, without the block's prefix. */
interface LocalLayers {
  readonly first: string;
  readonly depthwise: string;
  readonly reduce: string;
  readonly expand: string;
  readonly project: string;
}

/**
 * An inverted residual block with channel weights:
 *   x + project(u * sigmoid(expand(silu(reduce(mean(u)))))),  u = gelu(depthwise(gelu(first(x))))
 */
export class LocalBlock {
  readonly #b: GraphBuilder;
  readonly #prefix: string;
  readonly #layers: LocalLayers;

  constructor(b: GraphBuilder, prefix: string, layers: LocalLayers) {
    this.#b = b;
    this.#prefix = prefix;
    this.#layers = layers;
  }

  /**
   * Appends the block. `name` is the name of its output node. The node that computes the channel
   * weights has this name with the suffix `.se`.
   */
  append(name: string, x: NodeId, hidden: number): NodeId {
    const b = this.#b;
    const t = new TransformerBuilder(b);
    const { channels } = b.map(x);
    const layer = (part: keyof LocalLayers) => `${this.#prefix}.${this.#layers[part]}`;
    const plain = { kernel: 1, cOut: channels, bias: true } as const;
    const first = b.conv(`${name}.first`, x, { ...plain, layer: layer('first') });
    const active = b.gelu(`${name}.gelu1`, first);
    const depthwise = { layer: layer('depthwise'), kernel: 3, bias: true } as const;
    const u = b.gelu(`${name}.gelu2`, t.depthwise(`${name}.depthwise`, active, depthwise));
    const mean = b.globalAveragePool(`${name}.pooled`, u);
    const reduce = { layer: layer('reduce'), lengthOut: hidden };
    const silu = { fn: 'silu' } as const;
    const inner = b.activation(`${name}.silu`, b.linear(`${name}.reduce`, mean, reduce), silu);
    const expand = { layer: layer('expand'), lengthOut: channels };
    const weights = b.sigmoid(`${name}.se`, b.linear(`${name}.expand`, inner, expand));
    const scaled = t.scaleChannels(`${name}.scaled`, u, weights);
    const project = b.conv(`${name}.project`, scaled, { ...plain, layer: layer('project') });
    return b.add(name, x, project);
  }
}

/**
 * A gated feed-forward layer: `x + project_out(gelu(u) * v)`, where `u` and `v` are the halves of
 * `dwconv(project_in(norm(x)))`. Only the norm has a bias.
 */
export class FeedForward {
  readonly #b: GraphBuilder;
  readonly #norm: string;
  readonly #layer: string;

  constructor(b: GraphBuilder, norm: string, layer: string) {
    this.#b = b;
    this.#norm = norm;
    this.#layer = layer;
  }

  append(name: string, x: NodeId): NodeId {
    const b = this.#b;
    const t = new TransformerBuilder(b);
    const { channels } = b.map(x);
    const layer = (part: string) => `${this.#layer}.${part}`;
    const plain = { kernel: 1, bias: false } as const;
    const normed = t.layerNorm(`${name}.cnorm`, x, this.#norm, 1e-6);
    const widen = { ...plain, layer: layer('project_in'), cOut: 2 * channels };
    const wide = b.conv(`${name}.project_in`, normed, widen);
    const depthwise = { layer: layer('dwconv'), kernel: 3, bias: false } as const;
    const local = t.depthwise(`${name}.dwconv`, wide, depthwise);
    const gate = b.gelu(`${name}.gelu`, t.slice(`${name}.gate`, local, 0, channels));
    const gated = b.mul(`${name}.gated`, gate, t.slice(`${name}.value`, local, channels, channels));
    const narrow = { ...plain, layer: layer('project_out'), cOut: channels };
    return b.add(name, x, b.conv(`${name}.project_out`, gated, narrow));
  }
}

/**
 * ESA (enhanced spatial attention), a gate:
 *   x * sigmoid(conv4(resize(conv3(pool(conv2(a)))) + conv_f(a))),  a = conv1(x)
 * `conv2` and `pool` reduce the map to about a sixth of its width and height.
 */
export class SpatialGate {
  readonly #b: GraphBuilder;
  readonly #layer: string;

  constructor(b: GraphBuilder, layer: string) {
    this.#b = b;
    this.#layer = layer;
  }

  append(name: string, x: NodeId): NodeId {
    const b = this.#b;
    const t = new TransformerBuilder(b);
    const { channels } = b.map(x);
    const cOut = Math.max(Math.floor(channels / 4), 16);
    const layer = (part: string) => ({ layer: `${this.#layer}.${part}`, cOut, bias: true });
    const a = b.conv(`${name}.conv1`, x, { ...layer('conv1'), kernel: 1 });
    const strided = { ...layer('conv2'), kernel: 3, stride: 2 };
    const pooled = t.maxPool(`${name}.pool`, t.stridedConv(`${name}.conv2`, a, strided), 7, 3);
    const small = b.conv(`${name}.conv3`, pooled, { ...layer('conv3'), kernel: 3 });
    const large = t.resize(`${name}.resize`, small, a);
    const direct = b.conv(`${name}.conv_f`, a, { ...layer('conv_f'), kernel: 1 });
    const sum = b.add(`${name}.sum`, large, direct);
    const back = { ...layer('conv4'), kernel: 1, cOut: channels } as const;
    const gate = b.sigmoid(`${name}.gate`, b.conv(`${name}.conv4`, sum, back));
    return b.mul(name, x, gate);
  }
}
