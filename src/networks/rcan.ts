import { GraphBuilder } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import { indices, type Match, type Outline, shapeOf, shuffleScale } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { addMean, constant, storedMean } from './parts/mean.ts';
import { shuffleUp } from './parts/shuffleUp.ts';
import { weighChannels } from './parts/weighChannels.ts';

/** The configuration of an RCAN. The defaults are the published values. */
export interface RcanConfig {
  /**
   * The factor by which the whole network enlarges an image. If `unshuffle` is not 1, the scale is
   * `4 / unshuffle`.
   */
  readonly scale: number;
  /**
   * The factor of the pixel unshuffle at the start: 1, 2 or 4. The upsampler always enlarges by 4
   * if a pixel unshuffle is used.
   */
  readonly unshuffle?: number;
  readonly features?: number;
  readonly groups?: number;
  /** The number of blocks in a group. */
  readonly blocks?: number;
  /** The channel attention has `features / reduction` hidden elements. */
  readonly reduction?: number;
  /** The factor by which each block's residual is multiplied: 1 in the published code. */
  readonly residualScale?: number;
  readonly channels?: number;
  readonly inputRange?: number;
  /** The upper end of the range of pixel values inside the network; default `inputRange`. */
  readonly imageRange?: number;
  /**
   * The mean of each channel, on a scale of 0 to 1. It is subtracted from the input and added to
   * the output.
   */
  readonly mean?: readonly number[] | null;
}

/**
 * Builds a residual channel attention network.
 *
 * Source: Zhang et al., "Image Super-Resolution Using Very Deep Residual Channel Attention
 * Networks", arXiv 1807.02758, section 3. The layers are named as in the authors' code, and the
 * nodes are named like the reference tensors in `test/golden`. The pixel unshuffle comes from the
 * training framework traiNNer.
 */
export function rcan(config: RcanConfig): Network {
  const { scale, unshuffle = 1, features = 64, groups = 10, blocks = 20 } = config;
  const { reduction = 16, residualScale = 1, channels = 3, inputRange = 1 } = config;
  const { imageRange = inputRange, mean = null } = config;
  const b = new GraphBuilder();
  const t = new TransformerBuilder(b);
  const conv = convolutions(b, features);
  const gain = imageRange / inputRange;
  const shifts = mean !== null || gain !== 1;
  const means = mean ?? constant(channels, 0);

  const input = b.input('input', channels);
  const shifted = shifts ? addMean(b, 'sub_mean', input, gain, means, -imageRange) : input;
  const cells = unshuffle === 1 ? shifted : t.pixelUnshuffle('unshuffled', shifted, unshuffle);
  const head = conv('head', cells, unshuffle === 1 ? 'head.0' : 'head.1');
  let x = head;
  for (let g = 0; g < groups; g++) {
    const start = x;
    for (let i = 0; i < blocks; i++) {
      const [name, layer] = [`g${g}.b${i}`, `body.${g}.body.${i}.body`];
      const inner = b.relu(`${name}.relu`, conv(`${name}.conv1`, x, `${layer}.0`));
      const residual = conv(`${name}.conv2`, inner, `${layer}.2`);
      const average = b.globalAveragePool(`${name}.ca_mean`, residual);
      const scaled = weighChannels(b, `${name}.scaled`, residual, average, {
        prefix: `${name}.ca_`,
        squeeze: `${layer}.3.conv_du.0`,
        expand: `${layer}.3.conv_du.2`,
        hidden: Math.floor(features / reduction),
      });
      x = b.add(`${name}.out`, x, scaled, residualScale);
    }
    x = b.add(`g${g}.out`, start, conv(`g${g}.conv`, x, `body.${g}.body.${blocks}`));
  }
  x = b.add('body_sum', head, conv('body_conv', x, `body.${groups}`));
  x = shuffleUp(b, x, scale * unshuffle, 'tail.0');
  const last = conv(shifts ? 'tail_conv' : 'output', x, 'tail.1', channels);
  const output = shifts ? addMean(b, 'output', last, 1 / gain, means, inputRange) : last;
  return { architecture: 'rcan', scale, inputRange, graph: b.build(output) };
}

/** Recognises an RCAN from the authors' code, or an RCAN with a pixel unshuffle. */
export function matchRcan(outline: Outline): Match | null {
  const direct = shapeOf(outline, 'head.0.weight', 4);
  const head = direct ?? shapeOf(outline, 'head.1.weight', 4);
  const squeeze = shapeOf(outline, 'body.0.body.0.body.3.conv_du.0.weight', 4);
  const tail = shapeOf(outline, 'tail.1.weight', 4);
  if (!head || !squeeze || !tail) return null;
  const [features, taken] = head;
  const [channels] = tail;
  const unshuffle = direct ? 1 : Math.sqrt(taken / channels);
  if (![1, 2, 4].includes(unshuffle)) return null;
  // A network without an upsampler does not enlarge its maps.
  const scale = (shuffleScale(outline, 'tail.0.') ?? 1) / unshuffle;
  const groups = indices(outline, 'body.#.').at(-1) ?? 0;
  const blocks = indices(outline, 'body.0.body.#.').at(-1) ?? 0;
  const sizes = { scale, features, channels, unshuffle, groups, blocks };
  const config = { ...sizes, reduction: features / squeeze[0] };
  return {
    scales: [scale],
    inputRange: 1,
    assumptions: [['residuals times 1', 'residualScale']],
    build: ({ inputRange, residualScale = 1 }, tensors) => {
      const stored = storedMean(tensors);
      return rcan({
        ...config,
        residualScale,
        inputRange,
        // If the file has a layer that subtracts the mean, its bias determines the range and the
        // mean.
        imageRange: stored?.range ?? inputRange,
        mean: stored?.mean ?? null,
      });
    },
  };
}
