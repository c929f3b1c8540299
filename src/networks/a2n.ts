import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { countBlocks, type Matcher, shapeOf, upsamplerScales } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { upsampler } from './parts/upsampler.ts';

/** The configuration of an A2N. The defaults are those in the paper. */
export interface A2NConfig {
  /**
   * The enlargement factor: 2, 3 or 4, or 1 for restoration. At 1, the network has no upsampler and
   * adds the unscaled input to the last convolution's output.
   */
  readonly scale: number;
  /** `a2nm` has a 1x1 convolution in the non-attention branch instead of a 3x3 convolution. */
  readonly variant?: 'a2n' | 'a2nm';
  /** The number of channels in the trunk (`nf` in the authors' code). */
  readonly features?: number;
  /** The number of channels in the upsampler (`unf` in the authors' code). */
  readonly upsamplerFeatures?: number;
  /** The number of attention-in-attention blocks (`nb` in the authors' code). */
  readonly blocks?: number;
  /** The dynamic attention module has `floor(features / reduction)` hidden elements. */
  readonly reduction?: number;
  /** The number of image channels: 3, or 1 for luma. */
  readonly channels?: number;
  /**
   * The upper end of the range of pixel values: 255 for the authors' checkpoints and for those
   * shipped with Crispen, or 1 for networks that were trained on values in 0..1.
   */
  readonly inputRange?: number;
}

const SLOPE = 0.2;
const TEMPERATURE = 30;

/**
 * Builds an attention-in-attention network for super-resolution (A2N or its smaller variant A2N-M).
 *
 * Source: Chen, Gu, Zhang, "Attention in Attention Network for Image Super-Resolution", arXiv
 * 2104.09497, section 3. The layers are named as in the authors' checkpoints, and the nodes are
 * named like the reference tensors in `test/golden`.
 * @throws CrispenError `MODEL_UNSUPPORTED` for scales other than 1, 2, 3 and 4.
 */
export function a2n(config: A2NConfig): Network {
  const {
    scale,
    variant = 'a2n',
    features = 40,
    upsamplerFeatures = 24,
    blocks = 16,
    reduction = 4,
    channels = 3,
    inputRange = 255,
  } = config;
  const b = new GraphBuilder();
  const input = b.input('input', channels);
  const conv = convolutions(b, features);
  const head = conv('conv_first', input, 'conv_first');
  let x = head;
  for (let i = 0; i < blocks; i++) x = attentionInAttention(b, x, i, variant, reduction);
  const sum = b.add('trunk_sum', head, conv('trunk_conv', x, 'trunk_conv'));
  return {
    architecture: variant,
    scale,
    inputRange,
    graph: upsampler(b, sum, input, scale, upsamplerFeatures),
  };
}

/**
 * Appends one attention-in-attention block:
 * `x + conv_last(lrelu(p[0] * attention + p[1] * nonAttention))`. The weights `p` of the two
 * branches come from the dynamic attention module.
 */
function attentionInAttention(
  b: GraphBuilder,
  x: NodeId,
  index: number,
  variant: 'a2n' | 'a2nm',
  reduction: number,
): NodeId {
  const name = `block${index}`;
  const layer = `AAB_trunk.${index}`;
  const { channels } = b.map(x);
  const conv = (node: string, from: NodeId, suffix: string, kernel: 1 | 3, bias = false): NodeId =>
    b.conv(`${name}.${node}`, from, { layer: `${layer}.${suffix}`, kernel, cOut: channels, bias });

  const linear = conv('reduce_linear', x, 'conv_first', 1);
  const t = b.leakyRelu(`${name}.reduce_lrelu`, linear, SLOPE);

  // The dynamic attention module computes the weights of the two branches from each channel's mean
  // over the image.
  const pooled = b.globalAveragePool(`${name}.pooled`, t);
  const hidden = b.relu(
    `${name}.adm_relu`,
    b.linear(`${name}.adm_hidden`, pooled, {
      layer: `${layer}.ADM.0`,
      lengthOut: Math.floor(channels / reduction),
    }),
  );
  const logits = b.linear(`${name}.adm_logits`, hidden, { layer: `${layer}.ADM.2`, lengthOut: 2 });
  const weights = b.softmax(`${name}.adm_softmax`, logits, TEMPERATURE);

  // Attention branch.
  const k1 = b.leakyRelu(`${name}.att.k1_lrelu`, conv('att.k1', t, 'attention.k1', 3), SLOPE);
  const gate = b.sigmoid(`${name}.att.gate`, conv('att.k2', k1, 'attention.k2', 1, true));
  // The compiler fuses `gated` into `k2` or `k3`, whichever comes first in the graph. Here, `k2`
  // comes first, because fusing `gated` into the 3x3 convolution `k3` would be more expensive.
  const k3 = conv('att.k3', t, 'attention.k3', 3);
  const gated = b.mul(`${name}.att.gated`, k3, gate);
  const attention = conv('attention_out', gated, 'attention.k4', 3);

  const nonAttention = conv('non_attention_out', t, 'non_attention', variant === 'a2n' ? 3 : 1);

  const mixed = b.leakyRelu(
    `${name}.mix_lrelu`,
    b.mix(`${name}.mix`, attention, nonAttention, weights),
    SLOPE,
  );
  return b.add(`${name}.out`, x, conv('expand_before_residual', mixed, 'conv_last', 1));
}

/**
 * Recognises an A2N or A2N-M of any size. A network without an upsampler restores images (x1). The
 * layers are the same at x2 and x3, so only the weight file's name distinguishes these scales. An
 * x4 network has a second upsampling stage.
 */
export const matchA2N =
  (variant: 'a2n' | 'a2nm'): Matcher =>
  (outline) => {
    const head = shapeOf(outline, 'conv_first.weight', 4);
    const hidden = shapeOf(outline, 'AAB_trunk.0.ADM.0.weight', 2);
    const branch = shapeOf(outline, 'AAB_trunk.0.non_attention.weight', 4);
    const up = shapeOf(outline, 'upconv1.weight', 4);
    const last = shapeOf(outline, 'conv_last.weight', 4);
    if (!head || !hidden || !branch || !last) return null;
    if ((branch[2] === 1) !== (variant === 'a2nm')) return null;
    // Without an upsampler, the last convolution reads the trunk, so the channel counts must match.
    if (!up && last[1] !== head[0]) return null;
    const [features, channels] = head;
    const config = {
      variant,
      features,
      channels,
      ...(up && { upsamplerFeatures: up[0] }),
      blocks: countBlocks(outline, 'AAB_trunk.#.'),
      // `a2n` uses `floor(features / reduction)` hidden elements. The added 0.5 keeps rounding
      // errors in this division from changing that number.
      reduction: features / (hidden[0] + 0.5),
    } as const;
    return {
      ...(up ? upsamplerScales(outline) : { scales: [1] }),
      inputRange: 255,
      build: ({ scale, inputRange }) => a2n({ ...config, scale, inputRange }),
    };
  };
