import { GraphBuilder } from '../graph/graph.ts';
import { countBlocks, type Match, type Outline, renamed, shapeOf, shuffleScale } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { addMean, constant, DIV2K_MEAN, storedMean } from './parts/mean.ts';
import { shuffleUp } from './parts/shuffleUp.ts';

/** The configuration of an EDSR. The defaults are those of the paper's baseline. */
export interface EdsrConfig {
  readonly scale: number;
  readonly features?: number;
  readonly blocks?: number;
  /**
   * The factor by which each block's residual is multiplied: 1 for the baseline, 0.1 for the large
   * network.
   */
  readonly residualScale?: number;
  readonly channels?: number;
  /** The upper end of the input pixels' range. */
  readonly inputRange?: number;
  /**
   * The upper end of the range of pixel values inside the network; default `inputRange`. BasicSR
   * converts its input from 0..1 to 0..255.
   */
  readonly imageRange?: number;
  /**
   * The mean colour on a scale of 0 to 1. It is subtracted from the input and added to the output.
   * If there is no mean, the input is not shifted.
   */
  readonly mean?: readonly number[] | null;
  /** Whether nodes are named like the reference tensors from EDSR-PyTorch or from BasicSR. */
  readonly style?: 'edsr' | 'basicsr';
}

/**
 * Builds an enhanced deep residual network.
 *
 * Source: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", arXiv
 * 1707.02921, section 3. The layers have the names that EDSR-PyTorch uses. BasicSR's names are
 * converted when a checkpoint is read. EDSR-PyTorch subtracts and adds the mean with convolutions.
 * This graph uses `affine` ops instead.
 */
export function edsr(config: EdsrConfig): Network {
  const { scale, features = 64, blocks = 16, residualScale = 1, channels = 3 } = config;
  const { inputRange = 255, imageRange = inputRange, mean = null, style = 'edsr' } = config;
  const b = new GraphBuilder();
  const conv = convolutions(b, features);
  const gain = imageRange / inputRange;
  const shifts = mean !== null || gain !== 1;
  const means = mean ?? constant(channels, 0);

  const input = b.input('input', channels);
  const shifted = shifts ? addMean(b, 'sub_mean', input, gain, means, -imageRange) : input;
  const head = conv(style === 'edsr' ? 'head' : 'conv_first', shifted, 'head.0');
  let x = head;
  for (let i = 0; i < blocks; i++) {
    const inner = conv(`body${i}.conv1`, x, `body.${i}.body.0`);
    const residual = conv(`body${i}.conv2`, b.relu(`body${i}.relu`, inner), `body.${i}.body.2`);
    x = b.add(`body${i}`, x, residual, residualScale);
  }
  const body = style === 'edsr' ? 'body_before_skip' : 'conv_after_body';
  x = b.add('body_sum', head, conv(body, x, `body.${blocks}`));

  x = shuffleUp(b, x, scale, 'tail.0');
  const last = conv(shifts ? 'tail_before_mean' : 'output', x, 'tail.1', channels);
  const output = shifts ? addMean(b, 'output', last, 1 / gain, means, inputRange) : last;
  return { architecture: 'edsr', scale, inputRange, graph: b.build(output) };
}

/**
 * Returns the usual factor for residuals. Without the factor 0.1, the training of networks with
 * many channels did not converge.
 */
const usualResidualScale = (features: number): number => (features >= 256 ? 0.1 : 1);

/** Recognises an EDSR by the tensor names that EDSR-PyTorch or BasicSR uses. */
export function matchEdsr(outline: Outline): Match | null {
  return matchOriginal(outline) ?? matchBasicSr(outline);
}

function matchOriginal(outline: Outline): Match | null {
  const head = shapeOf(outline, 'head.0.weight', 4);
  const inner = shapeOf(outline, 'body.0.body.0.weight', 4);
  const sound = inner && shapeOf(outline, 'body.0.body.2.weight', 4);
  const scale = shuffleScale(outline, 'tail.0.');
  if (!head || !sound || scale === null || !outline.has('tail.1.weight')) return null;
  const [features, channels] = head;
  const blocks = countBlocks(outline, 'body.#.body.0.');
  const usual = usualResidualScale(features);
  return {
    scales: [scale],
    inputRange: 255,
    assumptions: [[`residuals times ${usual}`, 'residualScale']],
    storedRange: true,
    build: ({ inputRange, residualScale = usual }, tensors) => {
      const stored = storedMean(tensors);
      return edsr({
        scale,
        features,
        channels,
        blocks,
        inputRange,
        residualScale,
        // The stored mean applies to the range for which the weights were trained. If the input has
        // a different range, the network first converts the input.
        imageRange: stored?.range ?? inputRange,
        mean: stored?.mean ?? null,
      });
    },
  };
}

function matchBasicSr(outline: Outline): Match | null {
  const head = shapeOf(outline, 'conv_first.weight', 4);
  const inner = shapeOf(outline, 'body.0.conv1.weight', 4);
  const scale = shuffleScale(outline, 'upsample.');
  if (!head || !inner || scale === null || !outline.has('conv_after_body.weight')) return null;
  const [features, channels] = head;
  const blocks = countBlocks(outline, 'body.#.conv1.');
  const usual = usualResidualScale(features);
  return {
    scales: [scale],
    inputRange: 1,
    assumptions: [
      [`residuals times ${usual}`, 'residualScale'],
      'the mean of DIV2K is subtracted',
      ['the range is 255 inside', 'imageRange'],
    ],
    build: ({ inputRange, residualScale = usual, imageRange = 255 }) =>
      edsr({
        scale,
        features,
        channels,
        blocks,
        inputRange,
        imageRange,
        residualScale,
        mean: channels === 3 ? DIV2K_MEAN : constant(channels, 0),
        style: 'basicsr',
      }),
    prepare: (tensors) => renamed(tensors, (name) => originalName(name, blocks)),
  };
}

/** Converts BasicSR's name of a layer to EDSR-PyTorch's name of the same layer. */
function originalName(name: string, blocks: number): string {
  return name
    .replace(/^conv_first\./, 'head.0.')
    .replace(/^body\.(\d+)\.conv1\./, 'body.$1.body.0.')
    .replace(/^body\.(\d+)\.conv2\./, 'body.$1.body.2.')
    .replace(/^conv_after_body\./, `body.${blocks}.`)
    .replace(/^upsample\./, 'tail.0.')
    .replace(/^conv_last\./, 'tail.1.');
}
