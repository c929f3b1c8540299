import { CrispenError } from '../errors.ts';
import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { indices, type Match, type Outline, shapeOf, shuffled } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { foldSpan } from './parts/fold.ts';
import { addMean, DIV2K_MEAN } from './parts/mean.ts';

/** The configuration of a SPAN. */
export interface SpanConfig {
  readonly scale: number;
  readonly features?: number;
  readonly channels?: number;
  readonly outputChannels?: number;
  /**
   * Whether the network first subtracts the mean from its input and multiplies the difference by
   * `imageRange`.
   */
  readonly normalise?: boolean;
  readonly imageRange?: number;
  readonly inputRange?: number;
}

const BLOCKS = 6;

/**
 * Builds a swift parameter-free attention network with folded convolutions. `foldSpan` turns the
 * training weights into one 3x3 convolution per layer.
 *
 * Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution",
 * arXiv 2311.12770, section 3. The nodes have the same names as the reference tensors in
 * `test/golden`, so that tests can compare them. The names of the folded layers end in `eval_conv`,
 * as in checkpoints that contain only folded layers.
 */
export function span(config: SpanConfig): Network {
  const { scale, features = 48, normalise = true, imageRange = 255, inputRange = 1 } = config;
  const { channels = 3, outputChannels = channels } = config;
  const b = new GraphBuilder();
  const input = b.input('input', channels);
  const conv = convolutions(b, features);
  const folded = (name: string, x: NodeId, layer: string) => conv(name, x, `${layer}.eval_conv`);

  const mean = DIV2K_MEAN.slice(0, channels);
  const normal = normalise
    ? addMean(b, 'normalised', input, imageRange / inputRange, mean, -imageRange)
    : input;
  const head = folded('conv_1', normal, 'conv_1');

  let x = head;
  const outs: NodeId[] = [];
  let lastActivated = head;
  for (let i = 1; i <= BLOCKS; i++) {
    const name = `block_${i}`;
    const inner = (index: number, from: NodeId): NodeId =>
      folded(`${name}.c${index}`, from, `${name}.c${index}_r`);
    const silu = (node: string, from: NodeId): NodeId =>
      b.activation(`${name}.${node}`, from, { fn: 'silu' });
    // The published code applies the activation in place, so the concatenation at the end reads the
    // activated map.
    lastActivated = silu('c1_as_concatenated', inner(1, x));
    const c3 = inner(3, silu('c2_silu', inner(2, lastActivated)));
    const attention = b.activation(`${name}.attention`, c3, { fn: 'centredSigmoid' });
    x = b.mul(`${name}.out`, b.add(`${name}.sum`, c3, x), attention);
    outs.push(x);
  }
  const tail = folded('conv_2', x, 'conv_2');
  const joined = b.concat('joined', [head, tail, outs[0], lastActivated]);
  const fused = conv('conv_cat', joined, 'conv_cat', features, 1);
  const wide = conv('before_shuffle', fused, 'upsampler.0', outputChannels * scale ** 2);
  const output = b.pixelShuffle('output', wide, scale);
  return { architecture: 'span', scale, inputRange, graph: b.build(output) };
}

/**
 * Recognises a SPAN, either with the separate layers that are used for training or with the folded
 * layers that replace them.
 */
export function matchSpan(outline: Outline): Match | null {
  const trained = shapeOf(outline, 'conv_1.sk.weight', 4);
  const head = trained ?? shapeOf(outline, 'conv_1.eval_conv.weight', 4);
  const block = shapeOf(outline, `block_1.c1_r.${trained ? 'sk' : 'eval_conv'}.weight`, 4);
  const up = shapeOf(outline, 'upsampler.0.weight', 4);
  if (!head || !block || !up || !outline.has('conv_cat.weight')) return null;
  const [features, channels] = head;
  const output = shuffled(up[0], channels);
  if (!output) return null;
  const blocks = indices(outline, 'block_#.').length;
  const normalise = !outline.has('no_norm');
  return {
    scales: [output.scale],
    inputRange: 1,
    assumptions: normalise
      ? ['the mean is subtracted', ['the range is 255 inside', 'imageRange']]
      : [],
    build({ inputRange, imageRange = 255 }) {
      if (blocks !== BLOCKS || (normalise && channels !== 3)) {
        const what = blocks === BLOCKS ? `${channels} channels and a mean` : `${blocks} blocks`;
        throw new CrispenError('MODEL_UNSUPPORTED', `The file is a SPAN of ${what}.`, {
          hint: `Crispen runs SPAN networks with ${BLOCKS} blocks; only RGB ones may have a mean.`,
        });
      }
      return span({ ...output, features, channels, normalise, imageRange, inputRange });
    },
    prepare: foldSpan,
  };
}
