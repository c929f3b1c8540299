import { CrispenError } from '../../errors.ts';
import { fromFloat32, toFloat32 } from '../../weights/convert.ts';
import type { Tensor, TensorMap } from '../../weights/tensor.ts';

/**
 * Folds each of SPAN's re-parameterised convolutions into one 3x3 convolution. Each of them
 * consists of a 1x1, a 3x3 and a 1x1 convolution in sequence, and a parallel 1x1 convolution. All
 * of these are linear. The three convolutions in sequence have the weights `W1` [2 * ci, ci], `W2`
 * [2 * co, 2 * ci, 3, 3] and `W3` [co, 2 * co], the parallel convolution has the weights `S` [co,
 * ci], and `b1`, `b2`, `b3` and `bS` are the biases:
 *
 *   W[o,i,y,x] = sum_n W3[o,n] sum_m W2[n,m,y,x] W1[m,i]  + S[o,i] in the centre
 *   b[o]       = sum_n W3[o,n] (sum_{m,y,x} W2[n,m,y,x] b1[m] + b2[n]) + b3[o] + bS[o]
 *
 * The fold is also exact at the image's border. The published layer pads its input before the first
 * 1x1 convolution, so the padding pixels also get the bias `b1`, as the formula for `b` assumes.
 * Sums are computed in f64. A checkpoint can also contain the folded convolution as `eval_conv`.
 * This copy becomes stale during training, so it is replaced. If a file contains only `eval_conv`,
 * that copy is used.
 */
export function foldSpan(tensors: TensorMap): TensorMap {
  const result = new Map<string, Tensor>();
  const layers = new Set<string>();
  for (const [name, tensor] of tensors) {
    const layer = /^(.*)\.(?:sk|conv\.[012])\.(?:weight|bias)$/.exec(name)?.[1];
    if (layer === undefined) result.set(name, tensor);
    else layers.add(layer);
  }
  for (const layer of layers) {
    const { weight, bias } = foldLayer(tensors, layer);
    result.set(`${layer}.eval_conv.weight`, weight);
    result.set(`${layer}.eval_conv.bias`, bias);
  }
  return result;
}

function foldLayer(tensors: TensorMap, layer: string): { weight: Tensor; bias: Tensor } {
  const get = (name: string, rank: number): { data: Float32Array; shape: readonly number[] } => {
    const tensor = tensors.get(`${layer}.${name}`);
    if (tensor?.shape.length !== rank) {
      throw new CrispenError(
        'MODEL_UNSUPPORTED',
        `The layer ${layer} cannot be folded: ${name} is ${tensor ? `[${tensor.shape}]` : 'missing'}.`,
        { hint: 'The file is not a complete SPAN checkpoint.' },
      );
    }
    return { data: toFloat32(tensor), shape: tensor.shape };
  };
  const w1 = get('conv.0.weight', 4);
  const w2 = get('conv.1.weight', 4);
  const w3 = get('conv.2.weight', 4);
  const skip = get('sk.weight', 4);
  const [b1, b2, b3, bs] = ['conv.0.bias', 'conv.1.bias', 'conv.2.bias', 'sk.bias'].map(
    (name) => get(name, 1).data,
  );
  const [ms, ci] = w1.shape;
  const [co, ns] = w3.shape;
  const sound =
    w2.shape.join() === [ns, ms, 3, 3].join() &&
    skip.shape.join() === [co, ci, 1, 1].join() &&
    [b1, b2, b3, bs].map((b) => b.length).join() === [ms, ns, co, co].join();
  if (!sound) {
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `The parts of ${layer} have shapes that do not match.`,
      {
        hint: 'The file is not a SPAN checkpoint, or it is from an unknown fork of SPAN.',
      },
    );
  }

  // `inner` is the product of `W2` and `W1`, indexed as [n][i * 9 + tap]. `carried` is the bias of
  // these two convolutions together: `b2` plus `W2` times `b1`, summed over the taps.
  const inner = new Float64Array(ns * ci * 9);
  const carried = new Float64Array(ns);
  for (let n = 0; n < ns; n++) {
    carried[n] = b2[n];
    for (let m = 0; m < ms; m++) {
      for (let t = 0; t < 9; t++) {
        const w = w2.data[(n * ms + m) * 9 + t];
        carried[n] += w * b1[m];
        for (let i = 0; i < ci; i++) inner[(n * ci + i) * 9 + t] += w * w1.data[m * ci + i];
      }
    }
  }
  const weight = new Float32Array(co * ci * 9);
  const bias = new Float32Array(co);
  const row = new Float64Array(ci * 9);
  for (let o = 0; o < co; o++) {
    row.fill(0);
    let sum = b3[o] + bs[o];
    for (let n = 0; n < ns; n++) {
      const w = w3.data[o * ns + n];
      sum += w * carried[n];
      for (let k = 0; k < row.length; k++) row[k] += w * inner[n * row.length + k];
    }
    for (let i = 0; i < ci; i++) row[i * 9 + 4] += skip.data[o * ci + i];
    weight.set(row, o * row.length);
    bias[o] = sum;
  }
  return {
    weight: fromFloat32(weight, [co, ci, 3, 3]),
    bias: fromFloat32(bias, [co]),
  };
}
