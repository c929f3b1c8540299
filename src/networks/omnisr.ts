import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import type { Grouping } from '../graph/transformerOp.ts';
import { countBlocks, type Match, type Outline, shapeOf, shuffled } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { constant } from './parts/mean.ts';
import { channelAttention, feedForward, localBlock, spatialGate } from './parts/transformer.ts';

/** The configuration of an OmniSR. The defaults match the released files. */
export interface OmniSrConfig {
  readonly scale: number;
  readonly features?: number;
  readonly groups?: number;
  /** The number of blocks in a group. */
  readonly blocks?: number;
  /** The side length of a window. */
  readonly window?: number;
  readonly heads?: number;
  /** Whether attention has position tables; default true. */
  readonly positions?: boolean;
  readonly inputRange?: number;
}

/**
 * The tiles that the authors use. Their size is the one used in training, and the results are
 * averaged where tiles overlap.
 */
const TILES = { side: 64, overlap: 24 };

/**
 * Builds an OmniSR. It uses attention between pixels and attention between channels. Each kind is
 * used within windows and across the whole map.
 *
 * Source: Wang et al., "Omni Aggregation Networks for Lightweight Image Super-Resolution", arXiv
 * 2304.10244. The layers are named as in the authors' checkpoints.
 */
export function omnisr(config: OmniSrConfig): Network {
  const { scale, features = 64, groups = 5, blocks = 1, inputRange = 1 } = config;
  const { window = 8, heads = 4, positions = true } = config;
  const b = new GraphBuilder();
  // The spatial gate's strided convolution and max pooling have no padding, so they cannot process
  // very small maps. The input is therefore padded to at least 16 x 16 pixels.
  const least = Math.ceil(16 / window) * window;
  const image = b.input('input', 3, { multiple: window, least, value: 0 });
  const conv = convolutions(b, features);
  const gain = constant(3, 1 / inputRange);
  const input = inputRange === 1 ? image : b.affine('unit', image, gain, [0, 0, 0]);
  const head = conv('input_conv', input, 'input');
  let x = head;
  for (let g = 0; g < groups; g++) {
    const layers = `residual_layer.${g}.residual_layer`;
    let u = x;
    for (let i = 0; i < blocks; i++) {
      const spec = { window, heads, positions };
      u = block(b, `g${g}.b${i}`, `${layers}.${i}.layer`, u, spec);
    }
    const closed = conv(`g${g}.close`, u, `${layers}.${blocks}`, features, 1);
    const sum = b.add(`g${g}.sum`, x, closed);
    x = spatialGate(b, `g${g}.esa`, sum, `residual_layer.${g}.esa`);
  }
  const body = b.add('body', head, conv('output_conv', x, 'output'));
  const wide = conv('up_conv', body, 'up.0', 3 * scale ** 2);
  const up = b.pixelShuffle(inputRange === 1 ? 'output' : 'up', wide, scale);
  const back = gain.map((factor) => 1 / factor);
  const output = inputRange === 1 ? up : b.affine('output', up, back, [0, 0, 0]);
  const graph = b.build(output);
  return { architecture: 'omnisr', scale, inputRange, graph, averagedTiles: TILES };
}

interface BlockSpec {
  readonly window: number;
  readonly heads: number;
  readonly positions: boolean;
}

/**
 * Appends one block. The names of its layers in the checkpoint start with `layer`. The authors'
 * layers that only reorder pixels are left out, because `grouping` tells each attention op which
 * pixels form a group.
 */
function block(b: GraphBuilder, name: string, layer: string, x: NodeId, spec: BlockSpec): NodeId {
  const { window: side, heads, positions } = spec;
  const t = new TransformerBuilder(b);
  const { channels } = b.map(x);

  const attention = (node: string, index: number, grouping: Grouping, from: NodeId) => {
    const [at, fn] = [`${name}.${node}`, `${layer}.${index}.fn`];
    const normed = t.layerNorm(`${at}.norm`, from, `${layer}.${index}.norm`, 1e-5);
    const linear = { kernel: 1, bias: false, linear: true } as const;
    const wide = { ...linear, layer: `${fn}.to_qkv`, cOut: 3 * channels };
    const qkv = b.conv(`${at}.qkv`, normed, wide);
    const table = positions ? `${fn}.rel_pos_bias.weight` : null;
    const sizes = { grouping, heads, channels };
    const scores = t.groupScores(`${at}.probs`, qkv, { ...sizes, table });
    const mixed = t.groupMix(`${at}.mixed`, [qkv, scores], { ...sizes, first: 2 * channels });
    const out = { ...linear, layer: `${fn}.to_out.0`, cOut: channels };
    return b.add(at, from, b.conv(`${at}.to_out`, mixed, out));
  };
  const between = (node: string, index: number, grouping: Grouping, from: NodeId) => {
    const [at, fn] = [`${name}.${node}`, `${layer}.${index}.fn`];
    const names = { name: at, output: `${at}.project_out`, norm: `${layer}.${index}.norm` };
    return b.add(at, from, channelAttention(b, from, { ...names, layer: fn, grouping, heads }));
  };
  const forward = (node: string, index: number, from: NodeId) =>
    feedForward(b, `${name}.${node}`, from, `${layer}.${index}.norm`, `${layer}.${index}.fn`);

  let y = localBlock(b, `${name}.mbconv`, x, `${layer}.0.fn`);
  y = attention('window_attention', 2, { kind: 'windows', side }, y);
  y = forward('ff1', 4, y);
  y = between('channel_attention', 5, { kind: 'windows', side }, y);
  y = forward('ff2', 6, y);
  y = attention('grid_attention', 8, { kind: 'spread', side }, y);
  y = forward('ff3', 10, y);
  y = between('channel_grid_attention', 11, { kind: 'grid', side }, y);
  return forward('out', 12, y);
}

/**
 * Recognises an OmniSR by the tensor names in the authors' checkpoints, with or without position
 * tables.
 */
export function matchOmniSr(outline: Outline): Match | null {
  const first = 'residual_layer.0.residual_layer.0.layer';
  const input = shapeOf(outline, 'input.weight', 4);
  const up = shapeOf(outline, 'up.0.weight', 4);
  const temperature = outline.get(`${first}.5.fn.temperature`)?.shape;
  if (!input || !up || !temperature || !outline.has(`${first}.0.fn.0.weight`)) return null;
  const [features, channels] = input;
  const shuffle = shuffled(up[0], 3);
  const table = shapeOf(outline, `${first}.2.fn.rel_pos_bias.weight`, 2);
  // Without a table, no tensor depends on the window size, so the usual size is assumed.
  const window = table ? (Math.sqrt(table[0]) + 1) / 2 : 8;
  const heads = temperature[0];
  if (channels !== 3 || shuffle?.outputChannels !== 3) return null;
  if (!Number.isInteger(window) || window < 2 || features % 4 !== 0) return null;
  const { scale } = shuffle;
  const config = {
    scale,
    features,
    window,
    heads,
    positions: table !== null,
    groups: countBlocks(outline, 'residual_layer.#.esa.conv1.weight'),
    blocks: countBlocks(outline, 'residual_layer.0.residual_layer.#.layer.0.fn.0.weight'),
  };
  return {
    scales: [scale],
    inputRange: 1,
    assumptions: [
      'values from 0 to 1 inside',
      'tiles of 64 pixels, averaged where they overlap',
      ...(table ? [] : ['windows of 8 pixels']),
    ],
    build: ({ inputRange }) => omnisr({ ...config, inputRange }),
  };
}
