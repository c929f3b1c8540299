import { CrispenError } from '../errors.ts';
import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import type { Grouping } from '../graph/transformerOp.ts';
import { toFloat32 } from '../weights/convert.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { countBlocks, type Match, type Outline, shapeOf } from './match.ts';
import type { Network } from './network.ts';
import { convolutions, linear } from './parts/conv.ts';
import { foldDat } from './parts/foldDat.ts';
import { addMean, constant, DIV2K_MEAN } from './parts/mean.ts';
import { bodyConv, swinTail, type Upsampler, upsamplerOf } from './parts/swin.ts';

/** The configuration of a DAT. The defaults are those of DAT-2. */
export interface DatConfig {
  readonly scale: number;
  readonly features?: number;
  /** The number of blocks in each group. */
  readonly depths?: readonly number[];
  readonly heads?: number;
  /**
   * A window's height and width in pixels, for the first half of the channels. For the other half,
   * the two numbers are swapped.
   */
  readonly split?: readonly [number, number];
  /** The number of channels inside the feed-forward layers, as a multiple of `features`. */
  readonly ratio?: number;
  readonly threeConvs?: boolean;
  readonly upsampler?: Upsampler;
  readonly upsamplerFeatures?: number;
  readonly inputRange?: number;
}

const EPSILON = 1e-5;

/**
 * Builds a DAT. Attention within rectangular windows alternates with attention between the channels
 * of the whole map.
 *
 * Source: Chen et al., "Dual Aggregation Transformer for Image Super-Resolution", arXiv 2308.03364.
 * The layers are named as in the authors' checkpoints. `foldDat` converts the weights: it folds
 * batch norms, computes position tables, and repeats the output channel of the spatial gate for
 * every feature.
 */
export function dat(config: DatConfig): Network {
  const { scale, features = 180, depths = constant(6, 6), heads = 6, split = [8, 32] } = config;
  const { threeConvs = false, ratio = 2, inputRange = 1, upsamplerFeatures = 64 } = config;
  const { upsampler = 'pixelshuffle' } = config;
  const b = new GraphBuilder();
  const t = new TransformerBuilder(b);
  const image = b.input('input', 3);
  const input = addMean(b, 'shifted', image, 1 / inputRange, DIV2K_MEAN, -1);
  const head = convolutions(b, features)('conv_first', input, 'conv_first');
  let x = t.layerNorm('before_RG', head, 'before_RG.1', EPSILON);
  depths.forEach((depth, g) => {
    let u = x;
    for (let i = 0; i < depth; i++) {
      const shifted = i % 4 === (g % 2 === 0 ? 2 : 0);
      const [name, layer] = [`l${g}.b${i}`, `layers.${g}.blocks.${i}`];
      const sizes = { heads, split, shifted, spatial: i % 2 === 0, ratio };
      u = appendBlock({ b, t, name, layer, ...sizes }, u);
    }
    x = b.add(`l${g}.out`, x, bodyConv(b, `l${g}.conv`, u, `layers.${g}.conv`, threeConvs));
  });
  const normed = t.layerNorm('norm', x, 'norm', EPSILON);
  const body = bodyConv(b, 'conv_after_body', normed, 'conv_after_body', threeConvs);
  const deep = b.add('body', head, body);
  const tail = { scale, upsampler, features: upsamplerFeatures, channels: 3 };
  const last = swinTail(b, deep, tail);
  const output = addMean(b, 'output', last, inputRange, DIV2K_MEAN, inputRange);
  const windows = Math.max(...split);
  return { architecture: 'dat', scale, inputRange, windows, graph: b.build(output) };
}

interface Block {
  readonly b: GraphBuilder;
  readonly t: TransformerBuilder;
  readonly name: string;
  readonly layer: string;
  readonly heads: number;
  readonly split: readonly [number, number];
  readonly shifted: boolean;
  /** Whether attention works within windows. If false, it works between channels. */
  readonly spatial: boolean;
  readonly ratio: number;
}

/** Appends `x + attention(norm(x))`, then `x + feedForward(norm(x))`. */
function appendBlock(block: Block, x: NodeId): NodeId {
  const { b, t, name, layer } = block;
  const normed = t.layerNorm(`${name}.norm1`, x, `${layer}.norm1`, EPSILON);
  const sum = b.add(`${name}.sum`, x, attention(block, normed));
  return b.add(`${name}.out`, sum, forward(block, sum));
}

/**
 * Appends attention and, in parallel, a depthwise convolution of the attention's values. Each of
 * the two results is multiplied by a gate, which is computed from the other result. One gate
 * consists of one factor per channel, and the other of one factor per pixel.
 */
function attention(block: Block, x: NodeId): NodeId {
  const { b, t, name, layer, spatial } = block;
  const { channels } = b.map(x);
  const attn = `${layer}.attn`;
  const qkv = linear(b, `${name}.qkv`, x, `${attn}.qkv`, 3 * channels);
  const attended = spatial ? windows(block, qkv, channels) : betweenChannels(block, qkv);
  const values = t.slice(`${name}.values`, qkv, 2 * channels, channels);
  const depthwise = { layer: `${attn}.dwconv.0`, kernel: 3, bias: true } as const;
  const local = b.gelu(`${name}.local`, t.depthwise(`${name}.dwconv`, values, depthwise));

  const byChannel = channelGate(block, spatial ? local : attended, channels);
  const byPixel = pixelGate(block, spatial ? attended : local, channels);
  const scaled = t.scaleChannels(`${name}.scaled`, spatial ? attended : local, byChannel);
  const gated = b.mul(`${name}.gated`, byPixel, spatial ? local : attended);
  const both = b.add(`${name}.both`, gated, scaled);
  return linear(b, `${name}.attn`, both, `${attn}.proj`, channels);
}

/**
 * Appends attention within windows. For half of the channels, a window has `split[0]` rows and
 * `split[1]` columns. For the other half, the two numbers are swapped.
 */
function windows(block: Block, qkv: NodeId, channels: number): NodeId {
  const { b, t, name, layer, heads, split, shifted } = block;
  const half = channels / 2;
  const halves = [0, 1].map((k) => {
    const [rows, side] = k === 0 ? split : [split[1], split[0]];
    const shift = { y: Math.floor(rows / 2), x: Math.floor(side / 2) };
    const sides = { side, rows, multiple: Math.max(...split) };
    const grouping: Grouping = { kind: 'windows', ...sides, ...(shifted && { shift }) };
    const sizes = { grouping, heads: heads / 2, channels: half };
    const table = `${layer}.attn.attns.${k}.table`;
    const at = { query: k * half, key: channels + k * half };
    const scores = t.groupScores(`${name}.probs.half${k}`, qkv, { ...sizes, table, ...at });
    const first = 2 * channels + k * half;
    return t.groupMix(`${name}.half${k}`, [qkv, scores], { ...sizes, first });
  });
  return b.concat(`${name}.attended`, halves);
}

function betweenChannels({ t, name, layer, heads }: Block, qkv: NodeId): NodeId {
  // The whole map is one group.
  const grouping: Grouping = { kind: 'grid', side: 1 };
  const temperature = `${layer}.attn.temperature`;
  return t.channelAttention(`${name}.attended`, qkv, { grouping, heads, temperature });
}

/** Computes a factor for each channel from a map's channel means. */
function channelGate({ b, name, layer }: Block, x: NodeId, channels: number): NodeId {
  const spec = { bias: true, conv: true };
  const gate = `${layer}.attn.channel_interaction`;
  const reduce = { ...spec, layer: `${gate}.1`, lengthOut: Math.floor(channels / 8) };
  const expand = { ...spec, layer: `${gate}.4`, lengthOut: channels };
  const mean = b.globalAveragePool(`${name}.pooled`, x);
  const inner = b.gelu(`${name}.gelu1`, b.linear(`${name}.reduce`, mean, reduce));
  return b.sigmoid(`${name}.byChannel`, b.linear(`${name}.channel_map`, inner, expand));
}

/** Computes a factor for each pixel. The factor is the same in all channels. */
function pixelGate({ b, name, layer }: Block, x: NodeId, channels: number): NodeId {
  const conv = convolutions(b, channels);
  const gate = `${layer}.attn.spatial_interaction`;
  const cOut = Math.floor(channels / 16);
  const inner = b.gelu(`${name}.gelu2`, conv(`${name}.narrow`, x, `${gate}.0`, cOut, 1));
  const spread = conv(`${name}.spatial_map`, inner, `${gate}.3`, channels, 1);
  return b.sigmoid(`${name}.byPixel`, spread);
}

/** Appends `fc2(u * conv(norm(v)))`, where `u` and `v` are the halves of `gelu(fc1(norm(x)))`. */
function forward({ b, t, name, layer, ratio }: Block, x: NodeId): NodeId {
  const { channels } = b.map(x);
  const half = (ratio * channels) / 2;
  const ffn = `${layer}.ffn`;
  const normed = t.layerNorm(`${name}.norm2`, x, `${layer}.norm2`, EPSILON);
  const wide = linear(b, `${name}.fc1`, normed, `${ffn}.fc1`, 2 * half);
  const active = b.gelu(`${name}.gelu3`, wide);
  const [u, v] = [0, 1].map((k) => t.slice(`${name}.part${k}`, active, k * half, half));
  const gate = t.layerNorm(`${name}.sg`, v, `${ffn}.sg.norm`, EPSILON);
  const depthwise = { layer: `${ffn}.sg.conv`, kernel: 3, bias: true } as const;
  const gated = b.mul(`${name}.fed`, u, t.depthwise(`${name}.sgconv`, gate, depthwise));
  return linear(b, `${name}.fc2`, gated, `${ffn}.fc2`, channels);
}

const FIRST = 'layers.0.blocks.0';
const OFFSETS = `${FIRST}.attn.attns.0.rpe_biases`;

/**
 * Recognises a DAT by the tensor names in the authors' checkpoints. The size of the windows can be
 * derived only from the buffer `rpe_biases`, so a file without this buffer is not recognised.
 */
export function matchDat(outline: Outline): Match | null {
  const first = shapeOf(outline, 'conv_first.weight', 4);
  const inner = shapeOf(outline, `${FIRST}.ffn.fc1.weight`, 2);
  const offsets = shapeOf(outline, OFFSETS, 2);
  const own = ['before_RG.1.weight', `${FIRST}.ffn.sg.norm.weight`];
  if (!first || !inner || !offsets || !own.every((name) => outline.has(name))) return null;
  const [features, channels] = first;
  const up = upsamplerOf(outline, channels);
  const temperature = outline.get('layers.0.blocks.1.attn.temperature')?.shape[0];
  const positions = shapeOf(outline, `${FIRST}.attn.attns.0.pos.pos3.2.weight`, 2);
  const heads = temperature ?? 2 * (positions?.[0] ?? 0);
  if (channels !== 3 || up === null || heads < 2 || heads % 2 !== 0) return null;
  const groups = countBlocks(outline, 'layers.#.blocks.0.');
  const config = {
    features,
    heads,
    ratio: inner[0] / features,
    depths: Array.from({ length: groups }, (_, g) => countBlocks(outline, `layers.${g}.blocks.#.`)),
    threeConvs: outline.has('conv_after_body.0.weight'),
    ...up,
  };
  return {
    scales: [up.scale],
    inputRange: 1,
    assumptions: ['the range is 1 inside'],
    build: ({ inputRange }, tensors) => dat({ ...config, inputRange, split: splitOf(tensors) }),
    prepare: (tensors) => foldDat(tensors, splitOf(tensors)),
  };
}

/**
 * Returns the numbers of rows and columns in a window, for the first half of the channels. Each row
 * of the buffer `rpe_biases` is an offset between two pixels of a window. The last row is the
 * largest offset: the window's number of rows minus 1, and its number of columns minus 1.
 * @throws CrispenError `MODEL_UNSUPPORTED` if the buffer cannot belong to a window
 */
function splitOf(tensors: TensorMap): readonly [number, number] {
  const buffer = tensors.get(OFFSETS);
  const values = buffer ? toFloat32(buffer) : new Float32Array(0);
  const [rows, columns] = [...values.subarray(-2)].map((v) => v + 1);
  const whole = [rows, columns].every((n) => Number.isInteger(n) && n >= 1 && n <= 256);
  if (!whole || values.length !== 2 * (2 * rows - 1) * (2 * columns - 1)) {
    throw new CrispenError('MODEL_UNSUPPORTED', 'The windows of this DAT cannot be read.', {
      hint: 'The file may be damaged: its buffer rpe_biases is not that of a window.',
    });
  }
  return [rows, columns];
}
