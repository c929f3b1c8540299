import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import {
  type CompactActivation,
  indices,
  type Match,
  type Outline,
  shapeOf,
  shuffled,
} from './match.ts';
import type { Network } from './network.ts';
import { broadcast } from './parts/broadcast.ts';
import { convolutions } from './parts/conv.ts';

/** The configuration of a Compact network. */
export interface CompactConfig {
  readonly scale: number;
  readonly features?: number;
  /**
   * The number of convolutions between the first and the last (`num_conv` in the released code).
   */
  readonly blocks?: number;
  readonly activation?: CompactActivation;
  readonly channels?: number;
  readonly outputChannels?: number;
  readonly inputRange?: number;
}

/** The slope for networks that were trained with leaky ReLU. */
const SLOPE = 0.1;

/**
 * Builds an SRVGGNetCompact: a plain stack of convolutions and a pixel shuffle. The only skip
 * connection enlarges the input by nearest-neighbour interpolation and adds it to the result.
 *
 * Source: the released code of Real-ESRGAN (BSD 3), arXiv 2107.10833. Real-ESRGAN's general model
 * and its anime video model are Compact networks. The layers are named as in the checkpoints, and
 * the nodes are named like the reference tensors in `test/golden`.
 */
export function compact(config: CompactConfig): Network {
  const { scale, features = 64, blocks = 16, activation = 'prelu', inputRange = 1 } = config;
  const { channels = 3, outputChannels = channels } = config;
  const b = new GraphBuilder();
  const conv = convolutions(b, features);
  const input = b.input('input', channels);
  let x = input;
  for (let i = 0; i <= blocks; i++) {
    const layer = `body.${2 * i}`;
    x = conv(layer, x, layer);
    x = activate(b, x, `body.${2 * i + 1}`, activation);
  }
  const layer = `body.${2 * blocks + 2}`;
  x = conv(`${layer}_before_shuffle`, x, layer, outputChannels * scale ** 2);
  const skip = scale === 1 ? input : b.nearest('nearest_skip', input, scale);
  if (scale > 1) x = b.pixelShuffle('shuffled', x, scale);
  const shown = Math.max(channels, outputChannels);
  const wideSkip = broadcast(b, 'wide_skip', skip, shown);
  const output = b.add('output', broadcast(b, 'wide_output', x, shown), wideSkip);
  return { architecture: 'compact', scale, inputRange, graph: b.build(output) };
}

function activate(
  b: GraphBuilder,
  x: NodeId,
  layer: string,
  activation: CompactActivation,
): NodeId {
  const name = `${layer}_act`;
  if (activation === 'prelu') return b.prelu(name, x, layer);
  return activation === 'relu' ? b.relu(name, x) : b.leakyRelu(name, x, SLOPE);
}

/**
 * Recognises a Compact network. In `body`, convolutions have even indices, and the slopes of PReLU
 * have odd indices. If there are no slopes, the tensors do not reveal which activation the network
 * uses.
 */
export function matchCompact(outline: Outline): Match | null {
  const head = shapeOf(outline, 'body.0.weight', 4);
  const hasSlopes = shapeOf(outline, 'body.1.weight', 1) !== null;
  const last = indices(outline, 'body.#.').at(-1) ?? 0;
  const bias = shapeOf(outline, `body.${last}.bias`, 1);
  if (!head || !bias || last < 2 || last % 2 !== 0) return null;
  if (!hasSlopes) {
    const plain = [...outline.keys()].every((name) =>
      /^body\.\d*[02468]\.(weight|bias)$/.test(name),
    );
    if (!plain || !shapeOf(outline, 'body.2.weight', 4)) return null;
  }
  const [features, channels] = head;
  const output = shuffled(bias[0], channels);
  if (!output) return null;
  return {
    scales: [output.scale],
    inputRange: 1,
    assumptions: hasSlopes
      ? []
      : [['leaky ReLU of slope 0.1, since there are no slopes', 'activation']],
    build: ({ inputRange, activation = 'leakyrelu' }) =>
      compact({
        ...output,
        features,
        channels,
        inputRange,
        blocks: (last - 2) / 2,
        activation: hasSlopes ? 'prelu' : activation,
      }),
  };
}
