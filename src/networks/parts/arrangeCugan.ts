import { fromFloat32, toFloat32 } from '../../weights/convert.ts';
import type { Tensor, TensorMap } from '../../weights/tensor.ts';

/**
 * Rewrites the layers that change a map's size in a Real-CUGAN network. They become convolutions of
 * stride 1, after a pixel unshuffle or before a pixel shuffle:
 * - A 2x2 layer of stride 2, [cOut, cIn, 2, 2], becomes a 1x1 layer over the four pixels of a cell,
 *   [cOut, 4 * cIn, 1, 1].
 * - A transposed 2x2 layer of stride 2, [cIn, cOut, 2, 2], becomes a 1x1 layer,
 *   [4 * cOut, cIn, 1, 1].
 * - A transposed 4x4 layer of stride 2 and padding 3, or a transposed 5x5 layer of stride 3 and
 *   padding 2, becomes a 3x3 layer, [stride^2 * cOut, cIn, 3, 3].
 *
 * The biases of transposed layers are repeated for the new output channels. Other tensors are
 * returned unchanged.
 */
export function arrangeCugan(tensors: TensorMap): TensorMap {
  const result = new Map(tensors);
  for (const [name, tensor] of tensors) {
    const [, layer] = /^(.+)\.weight$/.exec(name) ?? [];
    if (layer === undefined || tensor.shape.length !== 4) continue;
    const [rows, columns, side] = tensor.shape;
    if (side === 2 && layer.endsWith('_down')) {
      result.set(name, { ...tensor, shape: [rows, 4 * columns, 1, 1] });
    } else if (layer.endsWith('_up') || layer === 'unet1.conv_bottom') {
      const stride = STRIDES.get(side);
      if (stride === undefined) continue;
      result.set(name, transposed(tensor, stride));
      const bias = tensors.get(`${layer}.bias`);
      if (bias) result.set(`${layer}.bias`, repeated(bias, stride ** 2));
    }
  }
  return result;
}

/** Maps a transposed convolution's kernel side to its stride. */
const STRIDES: ReadonlyMap<number, number> = new Map([
  [2, 2],
  [4, 2],
  [5, 3],
]);

/**
 * Turns a transposed convolution of stride `s` into a convolution of stride 1. Along each axis, the
 * new convolution has `s` phases, and phase `p` computes the outputs `s * i + p`. For such an
 * output, tap `t` of the new convolution reads pixel `i + t - 1`. In the original, pixel `n`
 * contributes to output `s * n + k - 1` through tap `k`, apart from a constant shift of the output.
 * Therefore, tap `t` of phase `p` is the original tap `k = p + s * (1 - t) + 1`, or zero if that
 * tap does not exist. For side 2, there is one tap per phase, and `k` is `p`.
 */
function transposed(tensor: Tensor, stride: number): Tensor {
  const [cIn, cOut, side] = tensor.shape;
  const taps = side === 2 ? 1 : 3;
  const from = toFloat32(tensor);
  const data = new Float32Array(cOut * stride ** 2 * cIn * taps ** 2);
  const at = (phase: number, tap: number) => (side === 2 ? phase : phase + stride * (1 - tap) + 1);
  let to = 0;
  for (let o = 0; o < cOut; o++) {
    for (let phase = 0; phase < stride ** 2; phase++) {
      const [py, px] = [Math.floor(phase / stride), phase % stride];
      for (let i = 0; i < cIn; i++) {
        for (let tap = 0; tap < taps ** 2; tap++, to++) {
          const [ky, kx] = [at(py, Math.floor(tap / taps)), at(px, tap % taps)];
          if (Math.min(ky, kx) < 0 || Math.max(ky, kx) >= side) continue;
          data[to] = from[((i * cOut + o) * side + ky) * side + kx];
        }
      }
    }
  }
  return fromFloat32(data, [cOut * stride ** 2, cIn, taps, taps]);
}

function repeated(tensor: Tensor, times: number): Tensor {
  const values = toFloat32(tensor);
  const data = Float32Array.from(
    { length: values.length * times },
    (_, i) => values[Math.floor(i / times)],
  );
  return fromFloat32(data, [data.length]);
}
