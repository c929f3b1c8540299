import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import type { Grouping } from '../graph/transformerOp.ts';
import { countBlocks, type Matcher, shapeOf } from './match.ts';
import type { Network } from './network.ts';
import { convolutions, linear } from './parts/conv.ts';
import { addMean, constant, DIV2K_MEAN } from './parts/mean.ts';
import { bodyConv, swinTail, type Upsampler, upsamplerOf } from './parts/swin.ts';

/** The configuration of a SwinIR or an SRFormer. The defaults are those of the classical SwinIR. */
export interface SwinConfig {
  readonly scale: number;
  readonly features?: number;
  /** The number of blocks in each layer. */
  readonly depths?: readonly number[];
  /** The number of heads in each layer. */
  readonly heads?: readonly number[];
  /** The side length of a window. The default is 8 for SwinIR and 24 for SRFormer. */
  readonly window?: number;
  /** The number of channels inside the feed-forward layers, as a multiple of `features`. */
  readonly ratio?: number;
  /** Whether layers end with three convolutions instead of one. */
  readonly threeConvs?: boolean;
  readonly upsampler?: Upsampler;
  readonly upsamplerFeatures?: number;
  readonly channels?: number;
  readonly inputRange?: number;
  /**
   * The largest pixel value after the network has scaled its input. The default is 255 if `window`
   * is 7, and 1 otherwise, as in the released networks.
   */
  readonly imageRange?: number;
}

type Kind = 'swinir' | 'srformer';

const EPSILON = 1e-5;

/**
 * Builds a SwinIR. Attention works within windows, which are shifted by half a window in every
 * second block.
 *
 * Source: Liang et al., "SwinIR: Image Restoration Using Swin Transformer", arXiv 2108.10257. The
 * layers are named as in the authors' checkpoints.
 */
export const swinir = (config: SwinConfig): Network => swin('swinir', config);

/**
 * Builds an SRFormer. It differs from SwinIR in three ways: its windows are larger, its attention
 * merges 2 x 2 pixels into one key, and its feed-forward layers contain a depthwise convolution.
 *
 * Source: Zhou et al., "SRFormer: Permuted Self-Attention for Single Image Super-Resolution", arXiv
 * 2303.09735.
 */
export const srformer = (config: SwinConfig): Network =>
  swin('srformer', { window: 24, ...config });

function swin(kind: Kind, config: SwinConfig): Network {
  const { scale, features = 180, window = 8, channels = 3, inputRange = 1 } = config;
  const { depths = constant(6, 6), heads = depths.map(() => 6), threeConvs = false } = config;
  const { upsampler = scale === 1 ? 'none' : 'pixelshuffle', upsamplerFeatures = 64 } = config;
  const { imageRange = window === 7 ? 255 : 1, ratio = 2 } = config;
  const mean = channels === 3 ? DIV2K_MEAN : constant(channels, 0);
  const b = new GraphBuilder();
  const t = new TransformerBuilder(b);
  const image = b.input('input', channels, { multiple: window, least: window });
  const gain = imageRange / inputRange;
  const input = addMean(b, 'shifted', image, gain, mean, -imageRange);
  const head = convolutions(b, features)('conv_first', input, 'conv_first');
  const norm = (name: string, x: NodeId, layer = name) => t.layerNorm(name, x, layer, EPSILON);
  let x = norm('patch_embed', head, 'patch_embed.norm');
  depths.forEach((depth, l) => {
    let u = x;
    for (let i = 0; i < depth; i++) {
      const names = { name: `l${l}.b${i}`, layer: `layers.${l}.residual_group.blocks.${i}` };
      const half = Math.floor(window / 2);
      const moved = i % 2 === 1 ? { shift: { y: half, x: half } } : {};
      const grouping: Grouping = { kind: 'windows', side: window, ...moved };
      const sizes = { grouping, heads: heads[l], hidden: ratio * features };
      u = block(b, kind, u, { ...names, ...sizes });
    }
    x = b.add(`l${l}.out`, x, bodyConv(b, `l${l}.conv`, u, `layers.${l}.conv`, threeConvs));
  });
  const body = bodyConv(b, 'conv_after_body', norm('norm', x), 'conv_after_body', threeConvs);
  const deep = b.add('body', head, body);
  const tail = { scale, upsampler, features: upsamplerFeatures, channels };
  const last = swinTail(b, deep, tail);
  const result = upsampler === 'none' ? b.add('restored', input, last) : last;
  const output = addMean(b, 'output', result, 1 / gain, mean, inputRange);
  return { architecture: kind, scale, inputRange, graph: b.build(output) };
}

interface BlockSpec {
  readonly name: string;
  readonly layer: string;
  readonly grouping: Grouping;
  readonly heads: number;
  readonly hidden: number;
}

/** Appends `x + attention(norm(x))`, then `x + feedForward(norm(x))`. */
function block(b: GraphBuilder, kind: Kind, x: NodeId, spec: BlockSpec): NodeId {
  const { name, layer, grouping, heads, hidden } = spec;
  const t = new TransformerBuilder(b);
  const { channels } = b.map(x);
  const mapped = (node: string, from: NodeId, part: string, cOut: number) =>
    linear(b, `${name}.${node}`, from, `${layer}.${part}`, cOut);
  const normed = t.layerNorm(`${name}.norm1`, x, `${layer}.norm1`, EPSILON);
  const table = `${layer}.attn.relative_position_bias_table`;
  const sizes = { grouping, heads, channels };
  let attended: NodeId;
  if (kind === 'swinir') {
    const qkv = mapped('qkv', normed, 'attn.qkv', 3 * channels);
    const scores = t.groupScores(`${name}.probs`, qkv, { ...sizes, table });
    const mix = { ...sizes, first: 2 * channels };
    attended = t.groupMix(`${name}.attended`, [qkv, scores], mix);
  } else {
    const q = mapped('q', normed, 'attn.q', channels);
    const kv = mapped('kv', normed, 'attn.kv', channels / 2);
    const merged = { ...sizes, merge: 2 };
    const scores = t.groupScores(`${name}.probs`, q, { ...merged, table, key: 0 }, kv);
    attended = t.groupMix(`${name}.attended`, [kv, scores], { ...merged, first: channels / 4 });
  }
  const sum = b.add(`${name}.sum`, x, mapped('proj', attended, 'attn.proj', channels));
  const second = t.layerNorm(`${name}.norm2`, sum, `${layer}.norm2`, EPSILON);
  let inner = b.gelu(`${name}.gelu`, mapped('fc1', second, 'mlp.fc1', hidden));
  if (kind === 'srformer') {
    const convolved = `${layer}.mlp.dwconv.depthwise_conv.0`;
    const depthwise = { layer: convolved, kernel: 5, bias: true } as const;
    const local = t.depthwise(`${name}.dwconv`, inner, depthwise);
    inner = b.add(`${name}.local`, inner, b.gelu(`${name}.gelu2`, local));
  }
  return b.add(`${name}.out`, sum, mapped('fc2', inner, 'mlp.fc2', channels));
}

const FIRST_BLOCK = 'layers.0.residual_group.blocks.0';

/** Matches names that occur only in networks that resemble SwinIR but compute something else. */
const RELATIVES =
  /\.conv_block\.|\.overlap_attn\.|^patch_embed\.proj|\.attn\.logit_scale$|^absolute_pos_embed|^conv_first\.1\./;

/**
 * Recognises a SwinIR or an SRFormer by the tensor names in the authors' checkpoints. Related
 * networks (HAT, Swin2SR) are not matched.
 */
function matchSwin(kind: Kind): Matcher {
  const project = kind === 'swinir' ? 'attn.qkv' : 'attn.q';
  const tableName = (l: number) =>
    `layers.${l}.residual_group.blocks.0.attn.relative_position_bias_table`;
  return (outline) => {
    const first = shapeOf(outline, 'conv_first.weight', 4);
    const table = shapeOf(outline, tableName(0), 2);
    const inner = shapeOf(outline, `${FIRST_BLOCK}.mlp.fc1.weight`, 2);
    const own = outline.has(`${FIRST_BLOCK}.${project}.weight`);
    if (!first || !table || !inner || !own) return null;
    if ([...outline.keys()].some((name) => RELATIVES.test(name))) return null;
    const [features, channels] = first;
    const side = Math.sqrt(table[0]);
    const window = kind === 'swinir' ? (side + 1) / 2 : side + 1;
    const layers = countBlocks(outline, 'layers.#.residual_group.blocks.0.');
    const up = upsamplerOf(outline, channels);
    const whole = Number.isInteger(window) && (kind === 'swinir' || window % 4 === 0);
    if (!whole || window < 2 || up === null) return null;
    const each = Array.from({ length: layers }, (_, l) => l);
    const sizes = {
      features,
      channels,
      window,
      ratio: inner[0] / features,
      depths: each.map((l) => countBlocks(outline, `layers.${l}.residual_group.blocks.#.`)),
      heads: each.map((l) => shapeOf(outline, tableName(l), 2)?.[1] ?? 0),
      threeConvs: outline.has('conv_after_body.0.weight'),
      ...up,
    };
    const usual = window === 7 ? 255 : 1;
    const build = kind === 'swinir' ? swinir : srformer;
    return {
      scales: [up.scale],
      inputRange: 1,
      assumptions: [[`the range is ${usual} inside`, 'imageRange']],
      build: ({ inputRange, imageRange = usual }) => build({ ...sizes, inputRange, imageRange }),
    };
  };
}

export const matchSwinir = matchSwin('swinir');
export const matchSrformer = matchSwin('srformer');
