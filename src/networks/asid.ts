import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import type { Grouping } from '../graph/transformerOp.ts';
import { countBlocks, type Match, type Outline, shapeOf, shuffled } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { constant } from './parts/mean.ts';
import { FeedForward, LocalBlock, SpatialGate } from './parts/transformer.ts';

/**
 * The configuration of an ASID. The defaults match the released network. An ASID with 8 blocks is
 * called ASIDd8.
 */
export interface AsidConfig {
  readonly scale: number;
  /**
   * The number of channels: a multiple of 4, and at least 8. With fewer channels, a hidden layer of
   * `floor(features / 8)` elements would be empty.
   */
  readonly features?: number;
  readonly blocks?: number;
  readonly inputRange?: number;
  /**
   * Whether the network converts values to -1..1, as the authors' code does; default true. If
   * false, the network reads its input unchanged.
   */
  readonly centred?: boolean;
  /**
   * If false, every block computes its own attention maps. This is used to measure the gain from
   * sharing.
   */
  readonly shared?: boolean;
}

const SIDE = 8;
const WINDOWS: Grouping = { kind: 'windows', side: SIDE };
const SPREAD: Grouping = { kind: 'spread', side: SIDE };
const GRID: Grouping = { kind: 'grid', side: SIDE };

/**
 * The authors' tiles, in LR pixels: the side length used in training, and the width of the overlap,
 * in which results are averaged.
 */
const TILES = { side: 64, overlap: 24 };

/**
 * Builds an ASID (attention-sharing information distillation), a lightweight transformer.
 *
 * Source: "Efficient Attention-Sharing Information Distillation Transformer for Lightweight Single
 * Image Super-Resolution", arXiv 2501.15774. Each block has three steps. In each step,
 * `features / 4` channels skip the attention. Attention is applied to the other channels, first
 * within windows, and then within sets of pixels that are spread over the whole map. The first
 * block computes the attention maps. The other blocks apply these maps to their own values.
 *
 * The layers are named as in the authors' checkpoints.
 */
export function asid(config: AsidConfig): Network {
  const { scale, features = 48, blocks = 3, inputRange = 1 } = config;
  const { centred = true, shared = true } = config;
  const b = new GraphBuilder();
  // The authors convert the image to -1..1 and then pad it with zeros. Here, the image is padded
  // first, with the middle of the input range, which the conversion turns into 0. The padded image
  // is at least 16 pixels wide and high, because the spatial gate's unpadded layers need 15 pixels.
  const padding = { multiple: SIDE, least: 2 * SIDE, value: centred ? 0.5 : 0 };
  const image = b.input('input', 3, padding);
  const input = centred
    ? b.affine('centred', image, constant(3, 2 / inputRange), constant(3, -1))
    : image;
  const conv = convolutions(b, features);
  const head = conv('input_conv', input, 'input');
  let x = head;
  let maps: readonly NodeId[] | null = null;
  for (let i = 0; i < blocks; i++) {
    const block: Block = new Block(b, i, features, shared ? maps : null);
    x = block.append(x);
    maps ??= block.maps;
  }
  const body = b.add('body', head, conv('output_conv', x, 'output'));
  const up = b.pixelShuffle(
    centred ? 'up' : 'output',
    conv('up_conv', body, 'up.0', 3 * scale ** 2),
    scale,
  );
  const half = constant(3, inputRange / 2);
  const output = centred ? b.affine('output', up, half, half) : up;
  const graph = b.build(output);
  return { architecture: 'asid', scale, inputRange, graph, averagedTiles: TILES };
}

class Block {
  /**
   * The attention maps of the layers SLA1, SGA1, SLA2, ..., in this order. SLA layers attend within
   * windows, and SGA layers attend within sets of pixels that are spread over the whole map.
   */
  readonly maps: NodeId[] = [];
  readonly #b: GraphBuilder;
  readonly #t: TransformerBuilder;
  readonly #name: string;
  readonly #prefix: string;
  /** The name prefix of the distillation layers, such as `block0.residual_layer.0`. */
  readonly #layers: string;
  readonly #features: number;
  /** The attention maps of the first block; null if this block computes its own. */
  readonly #known: readonly NodeId[] | null;

  constructor(b: GraphBuilder, index: number, features: number, known: readonly NodeId[] | null) {
    this.#b = b;
    this.#t = new TransformerBuilder(b);
    this.#name = this.#prefix = `block${index}`;
    this.#layers = `${this.#prefix}.residual_layer${index === 0 ? '.0' : ''}`;
    this.#features = features;
    this.#known = known;
  }

  append(input: NodeId): NodeId {
    const b = this.#b;
    const kept = this.#features / 4;
    const distilled: NodeId[] = [];
    let x = input;
    for (const step of [1, 2, 3]) {
      const width = this.#features - (step - 1) * kept;
      const [name, layer] = [`${this.#name}.LB${step}`, `${this.#layers}.LB${step}.net.fn`];
      const names = { reduce: '4.gate.1', expand: '4.gate.3', project: '5' };
      const local = new LocalBlock(b, layer, { first: '0', depthwise: '2', ...names });
      x = local.append(name, x, Math.floor(width / 4));
      const left = this.#t.slice(`${name}.left`, x, 0, kept);
      let y = this.#t.slice(`${name}.right`, x, kept, width - kept);
      y = this.#attention(`SLA${step}`, y, WINDOWS, width - kept);
      y = this.#attention(`SGA${step}`, y, SPREAD, width - kept);
      const last = step === 3;
      const cOut = last ? this.#features : width;
      const joined = b.concat(`${this.#name}.joined${step}`, [...(last ? distilled : []), y, left]);
      const mixed = { layer: `${this.#layers}.pw${step}`, kernel: 1, cOut, bias: true } as const;
      x = b.conv(`${this.#name}.pw${step}`, joined, mixed);
      if (last) break;
      distilled.push(this.#t.slice(`${this.#name}.x${step}`, x, 0, kept));
      x = this.#t.slice(`${this.#name}.rest${step}`, x, kept, width - kept);
    }
    const out = this.#channelBlock(x);
    const end = { layer: `${this.#prefix}.res_end`, kernel: 1, bias: true } as const;
    const closed = b.conv(`${this.#name}.res_end`, out, { ...end, cOut: this.#features });
    const sum = b.add(`${this.#name}.sum`, input, closed);
    return new SpatialGate(b, `${this.#prefix}.esa`).append(`${this.#name}.esa`, sum);
  }

  /**
   * Appends a layer of attention within groups of pixels, and then a feed-forward layer. Stores the
   * attention map in `maps`.
   */
  #attention(step: string, x: NodeId, grouping: Grouping, channels: number): NodeId {
    const b = this.#b;
    const [name, layer] = [`${this.#name}.${step}`, `${this.#layers}.${step}`];
    const normed = this.#t.layerNorm(`${name}.norm`, x, `${layer}.norm`, 1e-5);
    const index = this.maps.length;
    let scores = this.#known?.[index];
    const own = scores === undefined;
    const cOut = own ? 3 * channels : channels;
    const linear = { kernel: 1, bias: false, linear: true } as const;
    const of = own ? 'to_qkv' : 'to_v';
    const qkv = b.conv(`${name}.${of}`, normed, { ...linear, layer: `${layer}.attn.${of}`, cOut });
    const sizes = { grouping, heads: 1, channels };
    if (scores === undefined) {
      const table = `${layer}.attn.rel_pos_bias.weight`;
      scores = this.#t.groupScores(`${this.#name}.P${index + 1}`, qkv, { ...sizes, table });
    }
    this.maps.push(scores);
    const first = own ? 2 * channels : 0;
    const mixed = this.#t.groupMix(`${name}.mixed`, [qkv, scores], { ...sizes, first });
    const out = { ...linear, layer: `${layer}.attn.to_out.0`, cOut: channels };
    const attended = b.add(`${name}.attended`, x, b.conv(`${name}.to_out`, mixed, out));
    const forward = new FeedForward(b, `${layer}.cnorm`, `${layer}.gfn`);
    return forward.append(name, attended);
  }

  /**
   * Appends two layers of attention between channels. The first computes attention within windows,
   * and the second within groups of pixels that are `SIDE` rows and columns apart.
   */
  #channelBlock(input: NodeId): NodeId {
    const b = this.#b;
    const channels = this.#features;
    const plain = { kernel: 1, bias: false } as const;
    let x = input;
    for (const [i, grouping] of [WINDOWS, GRID].entries()) {
      const [name, layer] = [`${this.#name}.cttn${i + 1}`, `${this.#layers}.BlockC`];
      const attn = `${layer}.cttn${i + 1}`;
      const norm = this.#t.layerNorm(`${name}.norm`, x, `${layer}.canorm${i + 1}`, 1e-6);
      const qkv = b.conv(`${name}.qkv`, norm, {
        ...plain,
        layer: `${attn}.qkv`,
        cOut: 3 * channels,
      });
      const depthwise = { layer: `${attn}.qkv_dwconv`, kernel: 3, bias: false } as const;
      const local = this.#t.depthwise(`${name}.qkv_dwconv`, qkv, depthwise);
      const temperature = `${attn}.temperature`;
      const spec = { grouping, heads: 1, temperature };
      const attended = this.#t.channelAttention(`${name}.attended`, local, spec);
      const project = { ...plain, layer: `${attn}.project_out`, cOut: channels };
      x = b.add(`${name}.sum`, x, b.conv(name, attended, project));
      const forward = new FeedForward(b, `${layer}.cnorm${i + 1}`, `${layer}.gfn${i + 1}`);
      x = forward.append(i === 0 ? `${this.#name}.gfn1` : `${this.#name}.BlockC`, x);
    }
    return x;
  }
}

/**
 * Recognises an ASID by the tensor names in the authors' checkpoints. A file without position
 * tables belongs to a different network, so it is rejected.
 */
export function matchAsid(outline: Outline): Match | null {
  const first = 'block0.residual_layer.0.SLA1.attn';
  const input = shapeOf(outline, 'input.weight', 4);
  const up = shapeOf(outline, 'up.0.weight', 4);
  if (!input || !up || !outline.has(`${first}.to_qkv.weight`)) return null;
  const [features, channels] = input;
  const shuffle = shuffled(up[0], 3);
  const positions = outline.get(`${first}.rel_pos_bias.weight`)?.shape.join();
  const fits =
    channels === 3 && features % 4 === 0 && features >= 8 && shuffle?.outputChannels === 3;
  if (!fits || positions !== `${(2 * SIDE - 1) ** 2},1`) return null;
  const { scale } = shuffle;
  const config = { scale, features, blocks: countBlocks(outline, 'block#.res_end.weight') };
  return {
    scales: [scale],
    inputRange: 1,
    assumptions: ['values from -1 to 1 inside', 'tiles of 64 pixels, averaged where they overlap'],
    build: ({ inputRange }) => asid({ ...config, inputRange }),
  };
}
