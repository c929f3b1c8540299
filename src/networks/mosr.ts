import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { indices, type Match, type Outline, shapeOf } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { dySample, foldDySample } from './parts/dySample.ts';
import { constant } from './parts/mean.ts';

/**
 * The configuration of a MoSR. The defaults include 64 features, 24 blocks, a 7x7 depthwise kernel
 * and the upsampler `gps`.
 */
export interface MosrConfig {
  readonly scale: number;
  readonly features?: number;
  readonly blocks?: number;
  /**
   * The number of channels in each of the two maps that a block multiplies (the gate and the
   * gated value); default 1.5 times `features`.
   */
  readonly hidden?: number;
  /** The number of channels in the depthwise convolution; default `features`. */
  readonly local?: number;
  /** The side length of the depthwise kernel. */
  readonly kernel?: 3 | 5 | 7;
  /**
   * The last layers of the network. `ps` is a convolution and a pixel shuffle. `gps` is the same,
   * but with the average of eight convolutions, which `meanOfGroups` merges into one convolution.
   * `dys` is DySample.
   */
  readonly upsampler?: 'ps' | 'gps' | 'dys';
  /**
   * Whether the last convolution runs before DySample's sampling (see `foldDySample`); default
   * true.
   */
  readonly folded?: boolean;
  readonly channels?: number;
  readonly inputRange?: number;
}

/** The number of convolutions that `gps` averages. */
const GROUPS = 8;
const SAMPLING_GROUPS = 4;

/**
 * Builds a MoSR, a network of gated convolutions.
 *
 * MoSR comes from neosr, a training framework. Its blocks are based on "MambaOut", arXiv
 * 2405.07992. The layers have the same names as in the checkpoints. The nodes have the same names
 * as the tensors in the golden files (stored outputs of the original code).
 */
export function mosr(config: MosrConfig): Network {
  const { scale, features = 64, blocks = 24, channels = 3, inputRange = 1 } = config;
  const { hidden = Math.floor(1.5 * features), local = features, kernel = 7 } = config;
  const { upsampler = 'gps', folded = true } = config;
  const b = new GraphBuilder();
  const t = new TransformerBuilder(b);
  const conv = convolutions(b, features);
  const mish = (name: string, x: NodeId) => b.activation(name, x, { fn: 'mish' });
  const lowered = (name: string, x: NodeId) =>
    b.affine(name, x, constant(features, 1), constant(features, -0.5));

  const input = b.input('input', channels);
  let x = conv('gblocks0', input, 'gblocks.0');
  for (let i = 1; i <= blocks; i++) {
    const [name, layer] = [`block${i}`, `gblocks.${i}`];
    const normed = t.layerNorm(`${name}.norm`, x, `${layer}.norm`, 1e-6);
    const wide = conv(`${name}.fc1`, normed, `${layer}.fc1`, 2 * hidden);
    const gate = mish(`${name}.gate`, t.slice(`${name}.g`, wide, 0, hidden));
    const c = t.slice(`${name}.c`, wide, 2 * hidden - local, local);
    const depthwise = { layer: `${layer}.conv`, kernel, bias: true };
    const far = t.depthwise(`${name}.conv`, c, depthwise);
    const value =
      local === hidden
        ? far
        : b.concat(`${name}.value`, [t.slice(`${name}.i`, wide, hidden, hidden - local), far]);
    const mixed = conv(`${name}.fc2`, b.mul(`${name}.gated`, gate, value), `${layer}.fc2`);
    x = b.add(`${name}.out`, lowered(`${name}.lowered`, x), mish(`${name}.mish`, mixed));
  }
  const after = (offset: number) => `gblocks.${blocks + offset}`;
  const wider = mish('gblocks_mish1', conv('gblocks_conv1', x, after(1), 2 * features));
  const narrow = mish('gblocks_mish2', conv('gblocks_conv2', wider, after(3)));
  const trunk = conv('gblocks_out', narrow, after(5), features, 1);

  const side = mish('shortcut_mish1', conv('shortcut_conv1', input, 'shortcut.block.0'));
  const deep = mish('shortcut_mish2', conv('shortcut_conv2', side, 'shortcut.block.2'));
  const shortcut = b.add(
    'shortcut',
    deep,
    conv('shortcut_conv11', input, 'shortcut.conv11', features, 1),
  );
  const z = b.add('before_upsampler', lowered('gblocks_lowered', trunk), shortcut);
  const upsampled = (): NodeId => {
    if (upsampler === 'dys') {
      const groups = SAMPLING_GROUPS;
      return dySample(b, 'output', z, { layer: 'upsampler', scale, groups, channels, folded });
    }
    const layer = upsampler === 'ps' ? 'upsampler.0' : 'upsampler.in_to_k';
    const last = conv(scale === 1 ? 'output' : 'up_conv', z, layer, channels * scale ** 2);
    return scale === 1 ? last : b.pixelShuffle('output', last, scale);
  };
  return { architecture: 'mosr', scale, inputRange, graph: b.build(upsampled()) };
}

/** Averages the eight convolutions of `gps` into one. */
export function meanOfGroups(tensors: TensorMap): TensorMap {
  const result = new Map(tensors);
  for (const part of ['weight', 'bias']) {
    const name = `upsampler.in_to_k.${part}`;
    const tensor = tensors.get(name);
    if (!tensor || tensor.shape[0] % GROUPS !== 0) continue;
    const all = toFloat32(tensor);
    const length = all.length / GROUPS;
    const mean = Float32Array.from({ length }, (_, i) => {
      let sum = 0;
      for (let group = 0; group < GROUPS; group++) sum += all[group * length + i];
      return sum / GROUPS;
    });
    const [rows, ...rest] = tensor.shape;
    result.set(name, fromFloat32(mean, [rows / GROUPS, ...rest]));
  }
  return result;
}

export function matchMosr(outline: Outline): Match | null {
  const head = shapeOf(outline, 'gblocks.0.weight', 4);
  const fc1 = shapeOf(outline, 'gblocks.1.fc1.weight', 4);
  const depthwise = shapeOf(outline, 'gblocks.1.conv.weight', 4);
  if (!head || !fc1 || !depthwise || !outline.has('shortcut.conv11.weight')) return null;
  const [features, channels] = head;
  const [local, , kernel] = depthwise;
  const blocks = (indices(outline, 'gblocks.#.').at(-1) ?? 0) - 5;
  const end = endOf(outline, channels);
  const fits = local <= fc1[0] / 2 && blocks > 0;
  if (!end || !fits || (kernel !== 3 && kernel !== 5 && kernel !== 7)) return null;
  const { scale, upsampler } = end;
  const sizes = { features, channels, blocks, hidden: fc1[0] / 2, local } as const;
  return {
    scales: [scale],
    inputRange: 1,
    build: ({ inputRange }) => mosr({ ...sizes, ...end, kernel, inputRange }),
    prepare(tensors) {
      if (upsampler === 'gps') return meanOfGroups(tensors);
      const folds = upsampler === 'dys' && scale > 1;
      return folds ? foldDySample(tensors, 'upsampler', SAMPLING_GROUPS) : tensors;
    },
  };
}

/**
 * Determines the upsampler from the name of one of its layers, and the scale from the number of
 * output channels of that layer.
 */
function endOf(outline: Outline, channels: number) {
  const rows = (layer: string) => shapeOf(outline, `upsampler.${layer}.weight`, 4)?.[0];
  const ends = [
    ['ps', rows('0'), channels],
    ['gps', rows('in_to_k'), GROUPS * channels],
    ['dys', rows('offset'), 2 * SAMPLING_GROUPS],
  ] as const;
  for (const [upsampler, count, perPixel] of ends) {
    const scale = count === undefined ? Number.NaN : Math.sqrt(count / perPixel);
    if (!Number.isInteger(scale) || scale < 1) continue;
    return { upsampler, scale };
  }
  return null;
}
