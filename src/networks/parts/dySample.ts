import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { PlksrBuilder } from '../../graph/plksr.ts';
import { fromFloat32, toFloat32 } from '../../weights/convert.ts';
import type { TensorMap } from '../../weights/tensor.ts';

/** A DySample upsampler. Its layers share a prefix, such as `to_img`. */
export interface DySample {
  readonly layer: string;
  readonly scale: number;
  /** The number of channel groups. */
  readonly groups: number;
  /** The number of channels in the result. */
  readonly channels: number;
  /**
   * Whether the last 1x1 convolution runs before the sampling, with weights from `foldDySample`.
   * Sampling is linear, so the result is the same, but only four channels per group must be
   * sampled.
   */
  readonly folded: boolean;
}

/**
 * Appends the layers of a DySample upsampler, which samples the map `z` at learned offsets. At
 * scale 1, the last convolution is omitted.
 */
export function dySample(
  b: GraphBuilder,
  output: string,
  z: NodeId,
  { layer, scale, groups, channels, folded }: DySample,
): NodeId {
  const p = new PlksrBuilder(b);
  const cOut = 2 * groups * scale ** 2;
  const of = (part: string, bias: boolean) =>
    ({ layer: `${layer}.${part}`, kernel: 1, cOut, bias }) as const;
  const offset = b.conv('dysample.offset', z, of('offset', true));
  const scope = b.conv('dysample.scope', z, of('scope', false));
  const offsets = b.mul('dysample.offsets', offset, b.sigmoid('dysample.gate', scope));
  const spec = { scale, groups, sum: null };
  if (scale === 1) return p.dySample(output, [z, offsets], spec);
  const last = { layer: `${layer}.end_conv`, kernel: 1, bias: true } as const;
  if (folded && channels <= 4) {
    const mixed = b.conv('dysample.mixed', z, { ...last, cOut: 4 * groups });
    return p.dySample(output, [mixed, offsets], { ...spec, sum: channels });
  }
  const sampled = p.dySample('dysample.sampled', [z, offsets], spec);
  return b.conv(output, sampled, { ...last, cOut: channels });
}

/**
 * Rearranges the weights of the last 1x1 convolution, so that it can run before the sampling
 * instead of after it. The moved convolution has `4 * groups` output channels. Row `4 * q + k` of
 * its weights contains the weights of the original row `k` for the channels of group `q`. The
 * groups' results are added up after the sampling, so only the first group has the bias.
 */
export function foldDySample(tensors: TensorMap, layer: string, groups: number): TensorMap {
  const weight = tensors.get(`${layer}.end_conv.weight`);
  const bias = tensors.get(`${layer}.end_conv.bias`);
  if (weight?.shape.length !== 4 || !bias || weight.shape[0] > 4) return tensors;
  const [n, channels] = weight.shape;
  const depth = channels / groups;
  const own = toFloat32(weight);
  const rows = new Float32Array(4 * groups * channels);
  for (let q = 0; q < groups; q++) {
    for (let k = 0; k < n; k++) {
      const part = own.subarray(k * channels + q * depth, k * channels + (q + 1) * depth);
      rows.set(part, (4 * q + k) * channels + q * depth);
    }
  }
  const biases = new Float32Array(4 * groups);
  biases.set(toFloat32(bias).subarray(0, n));
  return new Map([
    ...tensors,
    [`${layer}.end_conv.weight`, fromFloat32(rows, [4 * groups, channels, 1, 1])],
    [`${layer}.end_conv.bias`, fromFloat32(biases, [4 * groups])],
  ]);
}
