import { internal } from '../errors.ts';
import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { NonlocalBuilder } from '../graph/nonlocal.ts';
import type { Gate, OffsetLayout } from '../graph/nonlocalOp.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { countBlocks, type Match, type Outline, renamed, shapeOf, shuffleScale } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { addMean, DIV2K_MEAN, storedMean } from './parts/mean.ts';
import { shuffleUp } from './parts/shuffleUp.ts';

/** Options for attention to earlier layers. */
export interface CrossLayerConfig {
  /** The number of keys per reference (an earlier layer's output). */
  readonly keys?: number;
  readonly offsets?: OffsetLayout;
  /** Whether a depthwise 3x3 convolution, batch norm and a skip follow the sum of the keys. */
  readonly depthwise?: boolean;
  /** How adaptive attention's gate changes the logits; null for attention without a gate. */
  readonly gate?: Gate | null;
}

/**
 * The configuration of an EDSR with cross-layer attention. The defaults match the released network.
 */
export interface EdsrAclaConfig extends CrossLayerConfig {
  /** At 1, the network restores images and has no upsampler. */
  readonly scale: number;
  readonly features?: number;
  readonly blocks?: number;
  /**
   * An attention module follows each of these blocks. The blocks are counted from 1 and listed in
   * ascending order. By default, there is one module after each quarter of the blocks. Each module
   * attends to the head's output and to the outputs of the blocks at all earlier positions in this
   * list.
   */
  readonly positions?: readonly number[];
  readonly residualScale?: number;
  readonly inputRange?: number;
  readonly mean?: readonly number[];
}

/**
 * Builds an EDSR with cross-layer attention (ACLA).
 *
 * Source: "Adaptive Cross-Layer Attention for Image Restoration", arXiv 2203.03619. For each pixel,
 * an attention module samples a few keys from the outputs of earlier layers, at offsets that the
 * module computes. The released code does not run. This function builds a repaired version with as
 * few changes as possible: the blocks run in sequence, and the skip starts at the head's output.
 * The layers are named as in the released code, except that batch norm is folded into
 * `cla.#.depthwise` (see `prepareAcla`).
 */
export function edsrAcla(config: EdsrAclaConfig): Network {
  const { scale, features = 64, blocks = 16, residualScale = 1, inputRange = 255 } = config;
  const { positions = quarters(blocks), mean = DIV2K_MEAN } = config;
  const b = new GraphBuilder();
  const conv = convolutions(b, features);
  const input = b.input('input', mean.length);
  const head = conv('head', addMean(b, 'sub_mean', input, 1, mean, -inputRange), 'head.0');
  const references = [head];
  let x = head;
  let done = 0;
  [...new Set([...positions, blocks])].forEach((end, t) => {
    for (let i = done; i < end; i++) {
      const [name, layer] = [`block${i}`, `body.${t}.${i - done}.body`];
      const inner = b.relu(`${name}.relu`, conv(`${name}.conv1`, x, `${layer}.0`));
      const out = i === end - 1 ? `stage${t}.out` : name;
      x = b.add(out, x, conv(`${name}.conv2`, inner, `${layer}.2`), residualScale);
    }
    done = end;
    if (!positions.includes(end)) return;
    const attended = crossLayerAttention(b, x, references, `stage${t}`, `cla.${t}`, config);
    references.push(x);
    x = b.add(`stage${t}.after_attention`, x, attended);
  });
  const skip = b.add('global_skip', x, head);
  const up = shuffleUp(b, conv('tail.conv', skip, 'tail.0'), scale, 'tail.1');
  const last = conv('tail.rgb', up, 'tail.2', mean.length);
  const output = addMean(b, 'output', last, 1, mean, inputRange);
  return { architecture: 'edsr-acla', scale, inputRange, graph: b.build(output) };
}

/**
 * Divides the blocks into four equal groups and returns the number of the last block of each group,
 * counted from 1. In the released network, the attention modules follow these blocks.
 */
const quarters = (blocks: number): number[] => [1, 2, 3, 4].map((q) => (q * blocks) / 4);

/**
 * Adds cross-layer attention to a graph. Each pixel of the map `query` attends to the maps
 * `references`, which are outputs of earlier layers. A 1x1 convolution is applied to each of these
 * maps. The keys of a pixel are a few samples of each convolved map, at offsets from the pixel. The
 * result is the weighted sum of all keys. One softmax over all keys produces the weights. The
 * logits, offsets and gate are 1x1 convolutions of the query.
 */
export function crossLayerAttention(
  b: GraphBuilder,
  query: NodeId,
  references: readonly NodeId[],
  name: string,
  layer: string,
  config: CrossLayerConfig & {
    /**
     * The node that computes the logits of the gate's mask. By default, the layer `mask_unit`
     * computes them. The test cases in `cli/golden-attention.ts` pass their own node, which can add
     * noise or a temperature.
     */
    readonly mask?: NodeId;
  },
): NodeId {
  const { keys = 9, offsets = 'paired', depthwise = false, gate = null } = config;
  const nonlocal = new NonlocalBuilder(b);
  const all = keys * references.length;
  const { channels } = b.map(query);
  const conv = (node: string, x: NodeId, suffix: string, cOut: number): NodeId =>
    b.conv(`${name}.${node}`, x, {
      layer: `${layer}.${suffix}`,
      kernel: 1,
      cOut,
      bias: true,
      shared: suffix === 'conv_refer',
    });
  const map = conv('offset_map', query, 'conv_offset', 2 * all);
  const logits = conv('attention_logits', query, 'conv_attn.0', all);
  const reading = gate
    ? { mask: config.mask ?? conv('mask_logits', query, 'mask_unit', all), reading: gate }
    : undefined;
  const weights = nonlocal.keySoftmax(`${name}.attention_weights`, logits, reading);
  let sum: NodeId | undefined;
  references.forEach((reference, l) => {
    const key = conv(`reference${l}`, reference, 'conv_refer', channels);
    const last = l === references.length - 1;
    sum = nonlocal.sampleKeys(
      last ? `${name}.attention_out` : `${name}.sampled${l}`,
      sum === undefined ? [weights, map, key] : [weights, map, key, sum],
      { first: l * keys, keys, offsets },
    );
  });
  if (sum === undefined) throw internal(`${name} attends to nothing`);
  if (!depthwise) return sum;
  const spread = convolutions(b, channels)(`${name}.depthwise`, sum, `${layer}.depthwise`);
  return b.add(`${name}.attended`, spread, query);
}

/** Recognises an EDSR with cross-layer attention by the tensor names in the released code. */
export function matchEdsrAcla(outline: Outline): Match | null {
  const head = shapeOf(outline, 'head.0.weight', 4);
  const first = shapeOf(outline, 'body.0.0.body.0.weight', 4);
  const logits =
    shapeOf(outline, 'cla.0.conv_attn.0.weight', 4) ??
    shapeOf(outline, 'cla.0.conv_attn.weight', 4);
  const refer = shapeOf(outline, 'cla.0.conv_refer.weight', 4);
  if (!head || !first || !logits || !refer || !outline.has('tail.2.weight')) return null;
  const [features, channels] = head;
  if (channels !== 3) return null;
  const scale = shuffleScale(outline, 'tail.1.') ?? 1;
  const stages = countBlocks(outline, 'body.#.');
  const attentions = countBlocks(outline, 'cla.#.');
  const ends: number[] = [];
  for (let t = 0; t < stages; t++) {
    ends.push((ends.at(-1) ?? 0) + countBlocks(outline, `body.${t}.#.`));
  }
  const gated = outline.has('cla.0.mask_unit.weight');
  return {
    scales: [scale],
    inputRange: 255,
    assumptions: [
      ['residuals times 1', 'residualScale'],
      ['no depthwise convolution behind the attention', 'depthwise'],
      ['offsets of a key in neighbouring channels (paired)', 'offsets'],
      ...(gated ? [['keys with a closed gate leave the softmax', 'gate'] as const] : []),
    ],
    storedRange: true,
    build: (
      { inputRange, residualScale = 1, offsets = 'paired', depthwise = false, gate = 'exclude' },
      tensors,
    ) =>
      edsrAcla({
        scale,
        features,
        blocks: ends.at(-1) ?? 0,
        keys: logits[0],
        positions: ends.slice(0, attentions),
        residualScale,
        inputRange,
        mean: storedMean(tensors)?.mean ?? DIV2K_MEAN,
        offsets,
        depthwise,
        gate: gated ? gate : null,
      }),
    prepare: prepareAcla,
  };
}

/** The `eps` of PyTorch's batch norm. */
const EPSILON = 1e-5;

/**
 * Folds the batch norm after each depthwise convolution into that convolution. The result is a
 * plain 3x3 convolution called `<layer>.depthwise`. Its weights between different channels are
 * zero. The logits layer of adaptive attention is also renamed from `conv_attn` to `conv_attn.0`,
 * which is its name in attention without a gate.
 */
export function prepareAcla(tensors: TensorMap): TensorMap {
  const result = new Map(
    renamed(tensors, (name) => name.replace(/conv_attn\.(weight|bias)$/, 'conv_attn.0.$1')),
  );
  for (const name of tensors.keys()) {
    const prefix = /^(.*)depthwise_conv\.weight$/.exec(name)?.[1];
    if (prefix === undefined) continue;
    const get = (suffix: string) => {
      const tensor = tensors.get(`${prefix}${suffix}`);
      return tensor && toFloat32(tensor);
    };
    const taps = get('depthwise_conv.weight');
    const [gain, shift] = [get('bn.weight'), get('bn.bias')];
    const [mean, variance] = [get('bn.running_mean'), get('bn.running_var')];
    if (!taps || !gain || !shift || !mean || !variance) continue;
    const { length } = gain;
    const weight = new Float32Array(length * length * 9);
    const bias = new Float32Array(length);
    for (let c = 0; c < length; c++) {
      const factor = gain[c] / Math.sqrt(variance[c] + EPSILON);
      bias[c] = shift[c] - mean[c] * factor;
      for (let t = 0; t < 9; t++) weight[(c * length + c) * 9 + t] = taps[c * 9 + t] * factor;
    }
    result.set(`${prefix}depthwise.weight`, fromFloat32(weight, [length, length, 3, 3]));
    result.set(`${prefix}depthwise.bias`, fromFloat32(bias, [length]));
  }
  return result;
}
