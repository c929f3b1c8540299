import type { Activation } from '../graph/activations.ts';
import { GraphBuilder } from '../graph/graph.ts';
import { PlksrBuilder } from '../graph/plksr.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import { countBlocks, indices, type Matcher, shapeOf, shuffled } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { dySample, foldDySample } from './parts/dySample.ts';

/**
 * The configuration of a PLKSR or a RealPLKSR. The defaults are the settings that the training
 * framework neosr uses for RealPLKSR with group norms.
 */
export interface PlksrConfig {
  readonly scale: number;
  readonly features?: number;
  readonly blocks?: number;
  /** The side length of the large kernel, an odd number. */
  readonly kernel?: number;
  /** The number of channels that the large kernel convolves. */
  readonly partial?: number;
  /** Whether blocks have element-wise attention. */
  readonly attention?: boolean;
  /** The norm in each block: `group` or `layer` in RealPLKSR, `none` in PLKSR. */
  readonly norm?: 'group' | 'layer' | 'none';
  /** The side lengths of a channel mixer's two kernels. */
  readonly mixer?: readonly [1 | 3, 1 | 3];
  /**
   * The number of channel groups in the DySample upsampler. If null (the default), the network uses
   * a pixel shuffle instead.
   */
  readonly sampling?: number | null;
  /**
   * Whether the last convolution runs before DySample's sampling (see `foldDySample`); default
   * true.
   */
  readonly folded?: boolean;
  readonly channels?: number;
  readonly inputRange?: number;
}

const NORM_GROUPS = 4;
/** On some devices, larger kernels would not fit into workgroup memory. */
const MAX_KERNEL = 21;

/**
 * Builds a PLKSR (partial large kernel network) or a RealPLKSR, its variant with norms and Mish.
 *
 * PLKSR was published by Lee et al., "Partial Large Kernel CNNs for Efficient Super-Resolution",
 * arXiv 2404.11848. RealPLKSR and its use of DySample come from neosr, a training framework.
 * DySample was published by Liu et al., "Learning to Upsample by Learning to Sample", arXiv
 * 2308.15085.
 *
 * The layers have the same names as in published checkpoints. The nodes have the same names as the
 * reference tensors in `test/golden`.
 */
export function plksr(config: PlksrConfig): Network {
  const { scale, features = 64, blocks = 28, kernel = 17, channels = 3 } = config;
  const { partial = features / 4, attention = true, norm = 'group', mixer = [3, 3] } = config;
  const { sampling = null, folded = true, inputRange = 1 } = config;
  const real = norm !== 'none';
  const b = new GraphBuilder();
  const p = new PlksrBuilder(b);
  const t = new TransformerBuilder(b);
  const conv = convolutions(b, features);
  const input = b.input('input', channels);
  const active: Activation = real ? { fn: 'mish' } : { fn: 'gelu' };
  const mixerName = real ? 'channel_mixer' : 'channe_mixer';

  let x = conv('feats0', input, 'feats.0', features);
  for (let i = 1; i <= blocks; i++) {
    const [name, layer] = [`block${i}`, `feats.${i}`];
    const [first, second] = mixer;
    let u = x;
    if (norm === 'layer') u = t.layerNorm(`${name}.layer_norm`, u, `${layer}.layer_norm`, 1e-6);
    const wide = conv(`${name}.wide`, u, `${layer}.${mixerName}.0`, 2 * features, first);
    const activated = b.activation(`${name}.active`, wide, active);
    const mixed = `${name}.${mixerName}`;
    u = conv(mixed, activated, `${layer}.${mixerName}.2`, features, second);
    u = p.partialConv(`${name}.lk`, u, { layer: `${layer}.lk.conv`, kernel, count: partial });
    if (attention) {
      const gate = conv(`${name}.attn.f`, u, `${layer}.attn.f.0`, features);
      u = b.mul(`${name}.attn`, u, b.sigmoid(`${name}.attn.gate`, gate));
    }
    u = conv(`${name}.refine`, u, `${layer}.refine`, features, 1);
    if (norm === 'group') {
      u = p.groupNorm(`${name}.norm`, u, `${layer}.norm`, NORM_GROUPS, 1e-5);
    }
    x = b.add(`${name}.out`, x, u);
  }
  const last = `feats.${blocks + (real ? 2 : 1)}`;
  const end = sampling === null && scale === 1 ? 'output' : 'before_shuffle';
  const z = b.add(
    end,
    p.repeatChannels('repeated', input, scale ** 2),
    conv('feats_last', x, last, channels * scale ** 2),
  );
  let output = z;
  if (sampling !== null) {
    const spec = { layer: 'to_img', scale, groups: sampling, channels, folded };
    output = dySample(b, 'output', z, spec);
  } else if (scale > 1) output = b.pixelShuffle('output', z, scale);
  return { architecture: real ? 'realplksr' : 'plksr', scale, inputRange, graph: b.build(output) };
}

/**
 * Recognises a RealPLKSR if `real` is true. Otherwise, recognises a PLKSR with one dense large
 * kernel per block.
 */
export const matchPlksr =
  (real: boolean): Matcher =>
  (outline) => {
    if (outline.has('feats.1.channel_mixer.0.weight') !== real) return null;
    const mixerName = real ? 'channel_mixer' : 'channe_mixer';
    const head = shapeOf(outline, 'feats.0.weight', 4);
    const large = shapeOf(outline, 'feats.1.lk.conv.weight', 4);
    const sides = [0, 2].map(
      (part) => shapeOf(outline, `feats.1.${mixerName}.${part}.weight`, 4)?.[3],
    );
    if (!head || !large || !outline.has('feats.1.refine.weight')) return null;
    const [features, channels] = head;
    const [partial, , kernel] = large;
    const sound = kernel % 2 === 1 && kernel <= MAX_KERNEL;
    if (!sound || !sides.every((side) => side === 1 || side === 3)) return null;
    // PLKSR's other kinds of large kernels have additional layers and are not matched.
    if ([...outline.keys()].some((name) => /\.lk\.(convs|mn_conv)\b/.test(name))) return null;
    const blocks = countBlocks(outline, 'feats.#.lk.conv.weight', 1);
    const end = blocks + (real ? 2 : 1);
    const last = shapeOf(outline, `feats.${end}.weight`, 4);
    const shuffle = last && shuffled(last[0], channels);
    if (!shuffle || indices(outline, 'feats.#.').at(-1) !== end) return null;
    const { scale } = shuffle;
    const sampled = outline.has('to_img.init_pos') || outline.has('to_img.offset.weight');
    const [offsets] = shapeOf(outline, 'to_img.offset.weight', 4) ?? [0];
    const sampling = sampled ? offsets / (2 * scale ** 2) : null;
    if (sampling !== null && !(Number.isInteger(sampling) && sampling > 0)) return null;
    const norm = !real ? 'none' : outline.has('feats.1.layer_norm.weight') ? 'layer' : 'group';
    if (norm === 'group' && features % NORM_GROUPS !== 0) return null;
    const attention = outline.has('feats.1.attn.f.0.weight');
    const mixer = sides as [1 | 3, 1 | 3];
    const sizes = { scale, features, channels, blocks, kernel, partial } as const;
    return {
      scales: [scale],
      inputRange: 1,
      assumptions: real
        ? norm === 'group'
          ? ['norms over 4 groups of channels']
          : []
        : ['the large kernel replaces its channels, and its input is not added'],
      build: ({ inputRange }) => plksr({ ...sizes, attention, norm, mixer, sampling, inputRange }),
      prepare: (tensors) =>
        sampling !== null && scale > 1 ? foldDySample(tensors, 'to_img', sampling) : tensors,
    };
  };
