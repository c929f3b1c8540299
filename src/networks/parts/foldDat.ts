import { CrispenError } from '../../errors.ts';
import { fromFloat32, toFloat32 } from '../../weights/convert.ts';
import type { Tensor, TensorMap } from '../../weights/tensor.ts';

const EPSILON = 1e-5;

/**
 * `NORMED` matches the name of each batch norm's running mean and captures the norm's index. If the
 * index is `i`, the layer before the norm has the index `i - 1`. `GATE` matches the weight of the
 * layer that computes the spatial gate.
 */
const NORMED =
  /^(.*\.attn\.(?:dwconv|channel_interaction|spatial_interaction)\.)(\d)\.running_mean$/;
const GATE = /^(.*\.attn\.spatial_interaction\.3)\.weight$/;
const POSITIONS = /^(.*\.attns\.([01]))\.pos\.pos_proj\.weight$/;

/**
 * Converts the weights of a DAT to the form that its graph needs. Sums are computed in f64.
 * - Batch norms (with their stored statistics) are folded into the layers before them.
 * - The last layer of a spatial gate has one output channel. Its weights and its bias are repeated,
 *   so that this layer has as many output channels as `conv_first`.
 * - The results of the small network `attns.#.pos` are added as the table `attns.#.table`, which
 *   has a row for each offset between two pixels of a window. If a window has `rows` x `columns`
 *   pixels, the table's row for an offset of `dy` rows and `dx` columns has the index
 *   `(dy + rows - 1) * (2 * columns - 1) + dx + columns - 1`.
 *
 * Other tensors are unchanged.
 * @param split the numbers of rows and columns in a window for the first half of the channels; for
 *   the second half, they are swapped
 */
export function foldDat(tensors: TensorMap, split: readonly [number, number]): TensorMap {
  const result = new Map(tensors);
  const values = (name: string): Float64Array => {
    const tensor = tensors.get(name);
    if (!tensor) throw missing(name);
    return Float64Array.from(toFloat32(tensor));
  };
  const set = (name: string, data: ArrayLike<number>, shape: readonly number[]) =>
    result.set(name, fromFloat32(Float32Array.from(data), shape));
  const foldNorm = (layer: string, norm: string): void => {
    const [weight, bias] = [values(`${layer}.weight`), values(`${layer}.bias`)];
    const [gain, shift] = [values(`${norm}.weight`), values(`${norm}.bias`)];
    const [mean, variance] = [values(`${norm}.running_mean`), values(`${norm}.running_var`)];
    const perChannel = weight.length / bias.length;
    const sound = [gain, shift, mean, variance].every(({ length }) => length === bias.length);
    if (!sound || !Number.isInteger(perChannel)) throw missing(`${norm}.weight`);
    const factor = gain.map((g, o) => g / Math.sqrt(variance[o] + EPSILON));
    const { shape } = tensors.get(`${layer}.weight`) as Tensor;
    const scaled = weight.map((w, i) => w * factor[Math.floor(i / perChannel)]);
    const shifted = bias.map((v, o) => (v - mean[o]) * factor[o] + shift[o]);
    set(`${layer}.weight`, scaled, shape);
    set(`${layer}.bias`, shifted, [bias.length]);
  };
  for (const name of tensors.keys()) {
    const norm = NORMED.exec(name);
    if (norm) {
      const [prefix, index] = [norm[1], Number(norm[2])];
      foldNorm(`${prefix}${index - 1}`, `${prefix}${index}`);
    }
    const gate = GATE.exec(name)?.[1];
    if (gate !== undefined) {
      const features = (tensors.get('conv_first.weight') as Tensor).shape[0];
      const [row, bias] = [values(name), values(`${gate}.bias`)];
      const repeated = Array.from({ length: features }, () => [...row]).flat();
      set(name, repeated, [features, row.length, 1, 1]);
      set(`${gate}.bias`, Array(features).fill(bias[0]), [features]);
    }
    const positions = POSITIONS.exec(name);
    if (positions) {
      const [, prefix, half] = positions;
      const [rows, columns] = half === '0' ? split : [split[1], split[0]];
      const table = positionTable((part) => values(`${prefix}.pos.${part}`), rows, columns);
      set(`${prefix}.table`, table.flat(), [table.length, table[0].length]);
    }
  }
  return result;
}

/**
 * Computes the rows of a window's position table. Each offset passes through a linear layer and
 * then through three stages. A stage is a layer norm, a ReLU and a linear layer.
 */
function positionTable(
  values: (part: string) => Float64Array,
  rows: number,
  columns: number,
): number[][] {
  const linear = (part: string) => {
    const [weight, bias] = [values(`${part}.weight`), values(`${part}.bias`)];
    const width = weight.length / bias.length;
    return (x: readonly number[]) =>
      Array.from(bias, (v, o) => x.reduce((sum, xi, i) => sum + xi * weight[o * width + i], v));
  };
  const first = linear('pos_proj');
  const stages = ['pos1', 'pos2', 'pos3'].map((stage) => {
    const [weight, bias] = [values(`${stage}.0.weight`), values(`${stage}.0.bias`)];
    const apply = linear(`${stage}.2`);
    return (x: readonly number[]) => {
      const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
      const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
      const factor = 1 / Math.sqrt(variance + EPSILON);
      return apply(x.map((v, i) => Math.max(0, (v - mean) * factor * weight[i] + bias[i])));
    };
  });
  const table: number[][] = [];
  for (let dy = 1 - rows; dy < rows; dy++) {
    for (let dx = 1 - columns; dx < columns; dx++) {
      table.push(stages.reduce((x, stage) => stage(x), first([dy, dx])));
    }
  }
  return table;
}

const missing = (name: string): CrispenError =>
  new CrispenError(
    'MODEL_UNSUPPORTED',
    `The weights of this DAT lack ${name}, or it does not fit.`,
    {
      hint: 'The file is not a complete DAT checkpoint.',
    },
  );
