import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { countBlocks, type Match, type Outline, shapeOf, upsamplerScales } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { noUpsampler, upsampler } from './parts/upsampler.ts';

/** The configuration of a PAN. The defaults are those in the paper. */
export interface PanConfig {
  /** Must be 2, 3 or 4. */
  readonly scale: number;
  /** The number of channels in the trunk (`nf` in the authors' code), which must be even. */
  readonly features?: number;
  /** The number of channels in the upsampler (`unf` in the authors' code). */
  readonly upsamplerFeatures?: number;
  /** The number of self-calibrated blocks with pixel attention (`nb` in the authors' code). */
  readonly blocks?: number;
  /** The number of image channels: 3, or 1 for luma. */
  readonly channels?: number;
  readonly inputRange?: number;
}

const SLOPE = 0.2;

/**
 * Builds a pixel attention network.
 *
 * Source: Zhao, Kong, He, Qiao, Dong, "Efficient Image Super-Resolution Using Pixel Attention",
 * arXiv 2010.01073, section 3. The layers are named as in the authors' checkpoints, and the nodes
 * are named like the reference tensors in `test/golden`.
 * @throws CrispenError `MODEL_UNSUPPORTED` for scales other than 2, 3 and 4.
 */
export function pan(config: PanConfig): Network {
  const {
    scale,
    features = 40,
    upsamplerFeatures = 24,
    blocks = 16,
    channels = 3,
    inputRange = 1,
  } = config;
  if (scale === 1) throw noUpsampler(scale);
  const b = new GraphBuilder();
  const input = b.input('input', channels);
  const conv = convolutions(b, features);
  const head = conv('conv_first', input, 'conv_first');
  let x = head;
  for (let i = 0; i < blocks; i++) x = selfCalibrated(b, x, i);
  const sum = b.add('trunk_sum', head, conv('trunk_conv', x, 'trunk_conv'));
  return {
    architecture: 'pan',
    scale,
    inputRange,
    graph: upsampler(b, sum, input, scale, upsamplerFeatures),
  };
}

/**
 * Appends `x + conv3(concat(a, b))`. The branches `a` and `b` each have half as many channels as
 * `x`. Pixel attention is applied in `b`.
 */
function selfCalibrated(b: GraphBuilder, x: NodeId, index: number): NodeId {
  const name = `block${index}`;
  const { channels } = b.map(x);
  const conv = (
    node: string,
    from: NodeId,
    layer: string,
    kernel: 1 | 3,
    options: { cOut?: number; bias?: boolean } = {},
  ): NodeId =>
    b.conv(`${name}.${node}`, from, {
      layer: `SCPA_trunk.${index}.${layer}`,
      kernel,
      cOut: channels / 2,
      bias: false,
      ...options,
    });
  const lrelu = (node: string, from: NodeId): NodeId => b.leakyRelu(`${name}.${node}`, from, SLOPE);

  const upper = lrelu('a_lrelu', conv('a_linear', x, 'conv1_a', 1));
  const lower = lrelu('b_lrelu', conv('b_linear', x, 'conv1_b', 1));
  const plain = lrelu('a_k1_lrelu', conv('a_k1', upper, 'k1.0', 3));

  const gate = b.sigmoid(`${name}.b_gate`, conv('b_k2', lower, 'PAConv.k2', 1, { bias: true }));
  const gated = b.mul(`${name}.b_gated`, conv('b_k3', lower, 'PAConv.k3', 3), gate);
  const attended = lrelu('b_pa_lrelu', conv('b_k4', gated, 'PAConv.k4', 3));

  const joined = b.concat(`${name}.joined`, [plain, attended]);
  const fused = conv('fuse_before_residual', joined, 'conv3', 1, { cOut: channels });
  return b.add(`${name}.out`, x, fused);
}

/**
 * Recognises a PAN of any size. The layers are the same at x2 and x3, so the tensors do not
 * distinguish these scales.
 */
export function matchPan(outline: Outline): Match | null {
  const head = shapeOf(outline, 'conv_first.weight', 4);
  const branch = shapeOf(outline, 'SCPA_trunk.0.PAConv.k3.weight', 4);
  const up = shapeOf(outline, 'upconv1.weight', 4);
  if (!head || !branch || !up) return null;
  const [features, channels] = head;
  const blocks = countBlocks(outline, 'SCPA_trunk.#.');
  const config = { features, channels, upsamplerFeatures: up[0], blocks };
  return {
    ...upsamplerScales(outline),
    inputRange: 1,
    build: ({ scale, inputRange }) => pan({ ...config, scale, inputRange }),
  };
}
