import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { toFloat32 } from '../../weights/convert.ts';
import type { TensorMap } from '../../weights/tensor.ts';

/** The mean colour of the DIV2K training set on a scale of 0 to 1, as in EDSR's and SPAN's code. */
export const DIV2K_MEAN: readonly number[] = [0.4488, 0.4371, 0.404];

export const constant = (length: number, value: number): number[] =>
  Array.from({ length }, () => value);

/** Appends `gain * x + range * mean`. A negative range subtracts the mean. */
export const addMean = (
  b: GraphBuilder,
  name: string,
  x: NodeId,
  gain: number,
  mean: readonly number[],
  range: number,
): NodeId =>
  b.affine(
    name,
    x,
    constant(b.map(x).channels, gain),
    mean.map((m) => m * range),
  );

/**
 * Computes the input range (such as 255) and the mean colour from the bias of the layer that
 * subtracts the mean. Returns null if the file has no such layer or the range is not positive.
 */
export function storedMean(tensors: TensorMap): { range: number; mean: number[] } | null {
  const bias = tensors.get('sub_mean.bias');
  if (!bias) return null;
  const values = [...toFloat32(bias)];
  const range = -values[0] / DIV2K_MEAN[0];
  // Rounding to f32 can turn 255 into 254.99999, so a range that is close to a whole number is
  // rounded.
  const whole = Math.round(range);
  const sound = whole > 0 && Math.abs(range - whole) < 1e-3 * whole ? whole : range;
  return sound > 0 ? { range: sound, mean: values.map((v) => -v / sound) } : null;
}
