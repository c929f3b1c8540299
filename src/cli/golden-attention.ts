/**
 * Golden cases for the networks with non-local attention. Each golden file contains the expected
 * results of one network or module: an LCoAN, an EDSR with cross-layer attention (for both values
 * of `OffsetLayout`), or a single attention module. Some files contain no weights.
 */
import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import type { Gate, OffsetLayout } from '../graph/nonlocalOp.ts';
import { crossLayerAttention, edsrAcla, prepareAcla } from '../networks/acla.ts';
import { lcoan, prepareLcoan } from '../networks/lcoan.ts';
import type { Network } from '../networks/network.ts';
import { DIV2K_MEAN } from '../networks/parts/mean.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import { elementCount, type Tensor, type TensorMap } from '../weights/tensor.ts';
import type { GoldenCase } from './golden-case.ts';
import { expectedOf, type GoldenFile, under } from './golden-file.ts';
import { hashedValues } from './golden-hash.ts';

/**
 * Returns a golden file's cases, or null if the file is not for one of these networks and modules.
 */
export function attentionCases(file: GoldenFile): GoldenCase[] | null {
  const { model, module } = file.metadata;
  if (model === 'LCoAN') return lcoanCases(file);
  if (model?.startsWith('EDSR_CLA')) return edsrCases(file);
  if (module === 'CL_Attention' || module === 'ACL_Attention') return moduleCases(file);
  return null;
}

function lcoanCases({ name, tensors, number, inside }: GoldenFile): GoldenCase[] {
  const config = {
    scale: number('scale'),
    features: number('n_feats'),
    groups: number('n_resgroups'),
    blocks: number('n_resblocks'),
    reduction: number('reduction'),
    clusters: number('n_clusters'),
    window: number('window_size'),
    rounds: number('n_rounds'),
    residualScale: number('res_scale'),
    inputRange: 1,
  };
  const network = lcoan(config);
  const weights = prepareLcoan(
    inside.size > 0 ? inside : hashedWeights(network, number('seed'), number('gain')),
  );
  const input = tensors.get('input') as Tensor;
  const cases = [
    { name, network, weights, input, expected: expectedOf(tensors, /^kmeans_init\./) },
  ];
  // The golden tensors of the k-means centroids have no batch dimension, so one is added.
  const initial = new Map(
    [...tensors]
      .filter(([tensor]) => tensor.startsWith('kmeans_init.means'))
      .map(([tensor, means]) => [tensor, { ...means, shape: [1, ...means.shape] }]),
  );
  if (initial.size > 0) {
    const fresh = lcoan({ ...config, initialised: false });
    cases.push({ name: `${name} (k-means)`, network: fresh, weights, input, expected: initial });
  }
  return cases;
}

function edsrCases({ name, tensors, metadata, number, inside }: GoldenFile): GoldenCase[] {
  return (['paired', 'released'] as const).map((offsets) => ({
    name: `${name} (${offsets})`,
    network: edsrAcla({
      scale: number('scale'),
      features: number('n_feats'),
      blocks: number('n_resblocks'),
      keys: number('key_num'),
      residualScale: number('res_scale'),
      inputRange: number('rgb_range'),
      depthwise: metadata.dp_conv === 'True',
      offsets,
    }),
    weights: prepareAcla(inside),
    input: tensors.get('input') as Tensor,
    expected: expectedOf(under(`${offsets}.`, tensors)),
  }));
}

/**
 * The settings for one run of a module, and the names of the golden tensors that contain the
 * expected output and attention weights.
 */
interface Reading {
  readonly output: string;
  readonly weights?: string;
  readonly offsets: OffsetLayout;
  readonly gate: Gate | null;
  readonly noise?: boolean;
  /** The temperature by which the gate's logits are divided, as in the released code; default 1. */
  readonly tau?: number;
}

const READINGS: Readonly<Record<string, readonly Reading[]>> = {
  CL_Attention: [
    { output: 'output_paired_slicing', offsets: 'paired', gate: null },
    { output: 'output_released_slicing', offsets: 'released', gate: null },
  ],
  ACL_Attention: [
    {
      output: 'output_A_gate_times_logit_paired',
      weights: 'weights_A_gate_times_logit',
      offsets: 'paired',
      gate: 'zero',
    },
    {
      output: 'output_B_gate_excludes_paired',
      weights: 'weights_B_gate_excludes',
      offsets: 'paired',
      gate: 'exclude',
    },
    {
      output: 'output_C_softmax_over_keys_paired',
      weights: 'weights_C_softmax_over_keys',
      offsets: 'paired',
      gate: 'soft',
    },
    { output: 'output_released_zero_noise', offsets: 'released', gate: 'columns' },
    {
      output: 'output_released_zero_noise_tau_0.5',
      offsets: 'released',
      gate: 'columns',
      tau: 0.5,
    },
    { output: 'output_released_with_noise', offsets: 'released', gate: 'columns', noise: true },
  ],
};

/**
 * Returns the cases of a single module. Each case wraps the module in a network with one input. The
 * input concatenates the channels of the query, the key and, if the file contains it, the
 * noise that is added to the gate's logits.
 */
function moduleCases({ name, tensors, metadata, number, inside }: GoldenFile): GoldenCase[] {
  const [channels, keys] = [number('channels'), number('keys')];
  const noise = tensors.get('gumbel_noise');
  const parts = [tensors.get('query'), tensors.get('key'), ...(noise ? [noise] : [])] as Tensor[];
  const [, , height, width] = parts[0].shape;
  const values = parts.flatMap((part) => [...toFloat32(part)]);
  const total = values.length / (width * height);
  const input = fromFloat32(Float32Array.from(values), [1, total, height, width], 'f32');
  const weights = new Map<string, Tensor>();
  for (const [key, tensor] of prepareAcla(inside)) weights.set(`cla.0.${key}`, tensor);
  const pick = (layer: string, from: number, count: number) => {
    const identity = new Float32Array(count * total);
    for (let i = 0; i < count; i++) identity[i * total + from + i] = 1;
    weights.set(`${layer}.weight`, fromFloat32(identity, [count, total, 1, 1], 'f32'));
  };
  pick('pick.query', 0, channels);
  pick('pick.key', channels, channels);
  if (noise) pick('pick.noise', 2 * channels, keys);

  return READINGS[metadata.module].map((reading) => {
    const b = new GraphBuilder();
    const x = b.input('input', total);
    const picked = (node: string, cOut: number): NodeId =>
      b.conv(node, x, { layer: `pick.${node}`, kernel: 1, cOut, bias: false });
    const query = picked('query', channels);
    const key = picked('key', channels);
    let mask: NodeId | undefined;
    if (reading.gate !== null) {
      const mapped = { layer: 'cla.0.mask_unit', kernel: 1, cOut: keys, bias: true } as const;
      mask = b.conv('mask_logits', query, mapped);
      if (reading.noise) mask = b.add('noisy', mask, picked('noise', keys));
      const { tau } = reading;
      if (tau !== undefined) {
        const scale = Array.from({ length: keys }, () => 1 / tau);
        const shift = scale.map(() => 0);
        mask = b.affine('cooled', mask, scale, shift);
      }
    }
    const depthwise = metadata.dp_conv === 'True';
    const { gate, offsets } = reading;
    const config = { keys, offsets, depthwise, gate, ...(mask !== undefined && { mask }) };
    const output = crossLayerAttention(b, query, [key], 'module', 'cla.0', config);
    const network: Network = {
      architecture: 'edsr-acla',
      scale: 1,
      inputRange: 1,
      graph: b.build(output),
    };
    const expected = new Map<string, Tensor>();
    const expect = (node: string, tensor: string) => {
      const found = tensors.get(tensor);
      if (found) expected.set(node, found);
    };
    expect(depthwise ? 'module.attended' : 'module.attention_out', reading.output);
    expect('module.offset_map', 'offset_map');
    expect('module.attention_logits', 'attention_logits');
    expect('mask_logits', 'mask_logits');
    expect('module.reference0', 'key_feature');
    if (reading.gate === null) expect('module.attention_weights', 'attention_weights');
    else if (reading.weights) expect('module.attention_weights', reading.weights);
    return { name: `${name} (${reading.output.slice(7)})`, network, weights, input, expected };
  });
}

/**
 * Computes the weights for a golden file that contains none. Except for `sub_mean.bias`, they are
 * pseudorandom values that depend on each tensor's name and shape, on `seed` and on `gain`.
 */
function hashedWeights(network: Network, seed: number, gain: number): TensorMap {
  const tensors = new Map<string, Tensor>();
  for (const { name, shape } of network.graph.weights) {
    const released = name.replace('tail.folded', 'tail.1');
    tensors.set(released, hashedTensor(released, shape, seed, gain));
  }
  const bias = Float32Array.from(DIV2K_MEAN, (mean) => -mean);
  tensors.set('sub_mean.bias', fromFloat32(bias, [3], 'f32'));
  return tensors;
}

function hashedTensor(name: string, shape: readonly number[], seed: number, gain: number): Tensor {
  const centroids = name.endsWith('kmeans.means');
  const fanIn = elementCount(shape) / shape[0];
  const bound = centroids ? 1 : shape.length > 1 ? gain * Math.sqrt(3 / fanIn) : 0.1 * gain;
  const values = hashedValues(name, shape, seed, (u) => u * bound);
  if (centroids) {
    const width = shape.at(-1) as number;
    for (let at = 0; at < values.length; at += width) {
      const row = values.subarray(at, at + width);
      const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
      row.forEach((v, i) => {
        row[i] = v / norm;
      });
    }
  }
  return fromFloat32(values, shape, 'f32');
}
