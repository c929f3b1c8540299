import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import type { Grouping } from '../graph/transformerOp.ts';
import { countBlocks, type Match, type Outline, shapeOf, shuffled } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { constant } from './parts/mean.ts';
import { channelAttention, feedForward, localBlock, spatialGate } from './parts/transformer.ts';

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
    const name = `block${i}`;
    const layers = `${name}.residual_layer${i === 0 ? '.0' : ''}`;
    const block: Block = { b, name, layers, known: shared ? maps : null, maps: [] };
    x = appendBlock(block, x);
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

interface Block {
  readonly b: GraphBuilder;
  readonly name: string;
  /** The name prefix of the distillation layers, such as `block0.residual_layer.0`. */
  readonly layers: string;
  /** The attention maps of the first block; null if this block computes its own. */
  readonly known: readonly NodeId[] | null;
  /**
   * The attention maps of the layers SLA1, SGA1, SLA2, ..., in this order. SLA layers attend within
   * windows, and SGA layers attend within sets of pixels that are spread over the whole map.
   */
  readonly maps: NodeId[];
}

function appendBlock(block: Block, input: NodeId): NodeId {
  const { b, name, layers } = block;
  const t = new TransformerBuilder(b);
  const { channels: features } = b.map(input);
  const conv = convolutions(b, features);
  const kept = features / 4;
  const distilled: NodeId[] = [];
  let x = input;
  for (const step of [1, 2, 3]) {
    const width = features - (step - 1) * kept;
    const local = `${name}.LB${step}`;
    x = localBlock(b, local, x, `${layers}.LB${step}.net.fn`);
    const left = t.slice(`${local}.left`, x, 0, kept);
    let y = t.slice(`${local}.right`, x, kept, width - kept);
    y = attention(block, `SLA${step}`, y, WINDOWS);
    y = attention(block, `SGA${step}`, y, SPREAD);
    const last = step === 3;
    const joined = b.concat(`${name}.joined${step}`, [...(last ? distilled : []), y, left]);
    x = conv(`${name}.pw${step}`, joined, `${layers}.pw${step}`, last ? features : width, 1);
    if (last) break;
    distilled.push(t.slice(`${name}.x${step}`, x, 0, kept));
    x = t.slice(`${name}.rest${step}`, x, kept, width - kept);
  }
  const out = channelBlock(block, x);
  const closed = conv(`${name}.res_end`, out, `${name}.res_end`, features, 1);
  return spatialGate(b, `${name}.esa`, b.add(`${name}.sum`, input, closed), `${name}.esa`);
}

/**
 * Appends a layer of attention within groups of pixels, and then a feed-forward layer. Stores the
 * attention map in the block's `maps`.
 */
function attention(block: Block, step: string, x: NodeId, grouping: Grouping): NodeId {
  const { b, known, maps } = block;
  const t = new TransformerBuilder(b);
  const { channels } = b.map(x);
  const [name, layer] = [`${block.name}.${step}`, `${block.layers}.${step}`];
  const normed = t.layerNorm(`${name}.norm`, x, `${layer}.norm`, 1e-5);
  const linear = { kernel: 1, bias: false, linear: true } as const;
  const of = known ? 'to_v' : 'to_qkv';
  const wide = { ...linear, layer: `${layer}.attn.${of}`, cOut: known ? channels : 3 * channels };
  const qkv = b.conv(`${name}.${of}`, normed, wide);
  const sizes = { grouping, heads: 1, channels };
  const table = `${layer}.attn.rel_pos_bias.weight`;
  const scores =
    known?.[maps.length] ??
    t.groupScores(`${block.name}.P${maps.length + 1}`, qkv, { ...sizes, table });
  maps.push(scores);
  const first = known ? 0 : 2 * channels;
  const mixed = t.groupMix(`${name}.mixed`, [qkv, scores], { ...sizes, first });
  const out = { ...linear, layer: `${layer}.attn.to_out.0`, cOut: channels };
  const attended = b.add(`${name}.attended`, x, b.conv(`${name}.to_out`, mixed, out));
  return feedForward(b, name, attended, `${layer}.cnorm`, `${layer}.gfn`);
}

/**
 * Appends two layers of attention between channels. The first computes attention within windows,
 * and the second within groups of pixels that are `SIDE` rows and columns apart.
 */
function channelBlock({ b, name, layers }: Block, input: NodeId): NodeId {
  const layer = `${layers}.BlockC`;
  let x = input;
  for (const [i, grouping] of [WINDOWS, GRID].entries()) {
    const output = `${name}.cttn${i + 1}`;
    const norm = `${layer}.canorm${i + 1}`;
    const spec = { name: output, output, norm, layer: `${layer}.cttn${i + 1}`, grouping, heads: 1 };
    x = b.add(`${output}.sum`, x, channelAttention(b, x, spec));
    const forward = `${name}.${i === 0 ? 'gfn1' : 'BlockC'}`;
    x = feedForward(b, forward, x, `${layer}.cnorm${i + 1}`, `${layer}.gfn${i + 1}`);
  }
  return x;
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
