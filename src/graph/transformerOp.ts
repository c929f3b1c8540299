/**
 * The ops of lightweight transformers (ASID, OmniSR, SwinIR and similar networks): norms, depthwise
 * convolutions, attention within groups of pixels or between channels, strided convolutions and
 * pooling.
 *
 * Notation: a map has `C` channels, `H` rows and `W` columns, and `w` is the side of a window.
 * Pixel `(y, x)` is in row `y` and column `x`. `H` and `W` are multiples of `w`. A *grouping*
 * divides a map into groups of pixels that attend to each other:
 * - `windows`: squares of `w` x `w` pixels. Position `a * w + b` of group `i * (W / w) + j` is
 *   pixel `(i * w + a, j * w + b)`. Windows can also be rectangles and can be shifted; see
 *   `Grouping`.
 * - `spread`: `w` x `w` pixels that are `H / w` rows and `W / w` columns apart, so each group
 *   covers the whole map. Position `a * w + b` of group `p * (W / w) + q` is pixel
 *   `(a * H / w + p, b * W / w + q)`.
 * - `grid`: pixel `(y, x)` is in group `(y mod w) * w + x mod w`. The pixels of a group are
 *   numbered in row-major order.
 */
import type { Size } from '../geometry.ts';
import { local, type RuleTable, sameShape } from './rules.ts';
import {
  areaOf,
  channelsOf,
  GraphError,
  mapOf,
  type Reduction,
  type Shape,
  vectorOf,
} from './shape.ts';

export interface Grouping {
  readonly kind: 'windows' | 'spread' | 'grid';
  /** The side `w`. */
  readonly side: number;
  /** Only for windows: the height of a window, if it is not `w`. */
  readonly rows?: number;
  /**
   * Only for windows: the distance by which the map is rolled. Pixel `(y, x)` of the rolled map is
   * pixel `(y + shift.y, x + shift.x)` of the map, modulo its size. In the last row of windows, the
   * last `shift.y` rows of pixels therefore come from the top of the map, and the pixels above them
   * come from the bottom. These two parts are not neighbours in the map, so 100 is subtracted from
   * scores between them before the softmax. The same applies to columns.
   */
  readonly shift?: { readonly y: number; readonly x: number };
  /**
   * Only for windows: the map is zero-padded on the right and at the bottom, so that its width and
   * height are multiples of this number.
   */
  readonly multiple?: number;
}

/** Returns the numbers of rows, columns and pixels of a window. */
export function windowOf({ side, rows = side }: Grouping) {
  return { rows, columns: side, tokens: rows * side };
}

/** Returns how many windows fit along the padded width and height of a map. */
export function windowsIn(grouping: Grouping, { width, height }: Size): Size {
  const { rows, columns } = windowOf(grouping);
  const { multiple = 1 } = grouping;
  const padded = (length: number) => Math.ceil(length / multiple) * multiple;
  return { width: padded(width) / columns, height: padded(height) / rows };
}

export type TransformerOp =
  /** The inverse of `pixelShuffle`, with the same channel order. */
  | { readonly op: 'pixelUnshuffle'; readonly scale: number }
  /** Copies the map's channels from `first` to `first + count - 1`. */
  | { readonly op: 'slice'; readonly first: number; readonly count: number }
  /**
   * Computes `y[c, i, j] = x[c, i + by, j + by]`, or zero if `x` has no such pixel. `by` is 1 or
   * -1.
   */
  | { readonly op: 'shift'; readonly by: 1 | -1 }
  /** A zero-padded depthwise convolution. The weights are [C, 1, k, k], and the bias is [C]. */
  | {
      readonly op: 'depthwise';
      readonly kernel: 3 | 5 | 7;
      readonly weight: string;
      readonly bias: string | null;
    }
  /**
   * Layer norm over the channels of each pixel. A value `v` of channel `c` becomes
   * `(v - mean) / sqrt(variance + epsilon) * weight[c] + bias[c]`. The variance is the mean of
   * `(v - mean)^2`.
   */
  | {
      readonly op: 'layerNorm';
      readonly epsilon: number;
      readonly weight: string;
      readonly bias: string;
    }
  /** Reads a map `x` and a vector `v` [C], and returns the map `v[c] * x[c]`. */
  | { readonly op: 'scaleChannels' }
  /**
   * Computes attention scores within groups. Here, `C` is the op's number of `channels`. The first
   * input contains the queries in channels `query` to `query + C - 1`. The second input, which can
   * be the same map, contains the keys from channel `key` on. Returns [groups, heads, queries,
   * keys]: for each query `q`, the softmax of `q.k / sqrt(C / heads) + T` over the keys `k` of the
   * group. A head has `C / heads` consecutive channels. The grouping is `windows` or `spread`.
   *
   * `T` is a position bias. It is read from a weight of shape
   * [(2 * rows - 1) * (2 * w - 1), heads], and `table` is the name of this weight. If the query is
   * `dy` rows below the key and `dx` columns to its right, `T` is in row
   * `(dy + rows - 1) * (2 * w - 1) + dx + w - 1` of this weight. If `table` is null, `T` is 0.
   *
   * If `merge` is greater than 1, a square of `merge` x `merge` pixels forms one key of `C`
   * channels. Each pixel contributes `C / merge^2` of them, and the pixels are taken row by row. A
   * window then has `rows / merge` x `w / merge` keys. In the formulas for `T`, `rows` and `w` are
   * replaced by `rows / merge` and `w / merge`. The query's row and column are divided by `merge`
   * and rounded down before `dy` and `dx` are computed.
   */
  | {
      readonly op: 'groupScores';
      readonly grouping: Grouping;
      readonly heads: number;
      readonly channels: number;
      readonly query: number;
      readonly key: number;
      readonly merge: number;
      readonly table: string | null;
    }
  /**
   * Reads a map and the scores that `groupScores` returns. The values start at channel `first` of
   * the map. Returns a map of `channels` channels: for each pixel, the sum of its group's values,
   * weighted by the pixel's scores. If `merge` is greater than 1, a square of pixels forms one
   * value, just as it forms one key in `groupScores`.
   */
  | {
      readonly op: 'groupMix';
      readonly grouping: Grouping;
      readonly heads: number;
      readonly first: number;
      readonly channels: number;
      readonly merge: number;
    }
  /**
   * Computes channel attention within each group of pixels: every channel attends to all channels
   * of its head. The op reads a map of queries, keys and values [3 * C] and returns a map [C].
   * Each channel of the queries and keys is divided by its norm over the group's pixels, or by
   * 1e-12 if the norm is smaller. The result for channel `c` is a weighted sum of the values `v[d]`
   * of all channels `d` of its head. The weights of this sum are the softmax over `d` of
   * `t[head] * q[c].k[d]`. `temperature` is the name of the tensor `t`, [heads, 1, 1].
   */
  | {
      readonly op: 'channelAttention';
      readonly grouping: Grouping;
      readonly heads: number;
      readonly temperature: string;
    }
  /**
   * A convolution with a stride and without padding. The weights are [cOut, C, k, k], and the bias
   * is [cOut].
   */
  | {
      readonly op: 'stridedConv';
      readonly kernel: number;
      readonly stride: number;
      readonly cOut: number;
      readonly weight: string;
      readonly bias: string | null;
    }
  /** Max pooling over squares of `kernel` x `kernel` pixels, without padding. */
  | { readonly op: 'maxPool'; readonly kernel: number; readonly stride: number }
  /**
   * Reads two maps. Returns the first map, enlarged bilinearly to the second map's size (half-pixel
   * centres, clamped edges). `factor` is the approximate enlargement along each axis.
   */
  | { readonly op: 'resize'; readonly factor: number };

const heads = (channels: number, count: number, name: string): void => {
  if (channels % count !== 0)
    throw new GraphError(`${name}: ${channels} channels in ${count} heads`);
};

function reduced(x: Shape, step: Reduction, channels: number, name: string): Shape {
  const shape = mapOf(x, name);
  return { ...shape, channels, reduced: [...(shape.reduced ?? []), step] };
}

export const TRANSFORMER: RuleTable<TransformerOp> = {
  pixelUnshuffle: {
    ...local,
    shape: ({ scale }, [x], name) => {
      const shape = mapOf(x, name);
      // The factor must be a power of two, so that dividing the map's scale by it is exact.
      if (!Number.isInteger(Math.log2(scale)) || scale < 1) {
        throw new GraphError(`${name}: unshuffled by ${scale}, which is not a power of two`);
      }
      return { kind: 'map', channels: shape.channels * scale ** 2, scale: shape.scale / scale };
    },
    reach: ({ scale }, r) => r * scale,
  },
  slice: {
    ...local,
    shape: ({ first, count }, [x], name) => {
      const shape = mapOf(x, name);
      if (first < 0 || count < 1 || first + count > shape.channels) {
        throw new GraphError(`${name}: ${count} of ${shape.channels} channels from ${first} on`);
      }
      return { ...shape, channels: count };
    },
  },
  shift: { ...sameShape, reach: (_, r) => r + 1 },
  depthwise: {
    ...sameShape,
    multiplyAdds: ({ kernel }, shape) => kernel ** 2 * channelsOf(shape) * areaOf(shape),
    reach: ({ kernel }, r) => r + (kernel >> 1),
  },
  layerNorm: sameShape,
  scaleChannels: {
    ...local,
    shape: (_, [x, scale], name) => {
      const shape = mapOf(x, name);
      const { length } = vectorOf(scale, name);
      if (length !== shape.channels) {
        throw new GraphError(`${name}: ${length} factors for ${shape.channels} channels`);
      }
      return shape;
    },
  },
  groupScores: {
    ...local,
    shape: (op, [queries, keys], name) => {
      const { grouping, merge } = op;
      const needs = [op.query + op.channels, op.key + op.channels / merge ** 2];
      const has = [queries, keys].map((map) => mapOf(map, name).channels);
      if (has.some((channels, i) => channels < needs[i])) {
        throw new GraphError(`${name}: ${has} channels, not ${needs}`);
      }
      heads(op.channels, op.heads, name);
      const { tokens } = windowOf(grouping);
      const dims = (size: Size) => {
        const { width, height } = windowsIn(grouping, size);
        return [width * height, op.heads, tokens, tokens / merge ** 2];
      };
      return { kind: 'table', dims, integer: false };
    },
    multiplyAdds: ({ grouping, channels, merge }, _, [x]) =>
      (windowOf(grouping).tokens / merge ** 2) * channels * areaOf(x),
  },
  groupMix: {
    shape: ({ first, channels, heads: count, merge }, [x], name) => {
      const shape = mapOf(x, name);
      if (first + channels / merge ** 2 > shape.channels) {
        throw new GraphError(`${name}: no such channels`);
      }
      heads(channels, count, name);
      return { ...shape, channels };
    },
    multiplyAdds: ({ grouping, channels, merge }, shape) =>
      (windowOf(grouping).tokens / merge ** 2) * channels * areaOf(shape),
    reach: ({ grouping }, r) => {
      const { rows, columns } = windowOf(grouping);
      return r + Math.max(rows, columns) - 1;
    },
    global: ({ grouping }) => (grouping.kind === 'windows' ? null : 'pixels'),
  },
  channelAttention: {
    shape: ({ heads: count }, [x], name) => {
      const shape = mapOf(x, name);
      const channels = shape.channels / 3;
      heads(channels, count, name);
      return { ...shape, channels };
    },
    multiplyAdds: ({ heads: count }, shape) => (2 * channelsOf(shape) ** 2 * areaOf(shape)) / count,
    reach: ({ grouping }, r) => r + grouping.side - 1,
    global: ({ grouping }) => (grouping.kind === 'windows' ? null : 'pixels'),
  },
  stridedConv: {
    ...local,
    shape: ({ kernel, stride, cOut }, [x], name) => reduced(x, { kernel, stride }, cOut, name),
    multiplyAdds: ({ kernel, cOut }, shape, [x]) =>
      kernel ** 2 * channelsOf(x) * cOut * areaOf(shape),
    reach: ({ kernel, stride }, r) => r * stride + kernel - 1,
    readsReduced: true,
  },
  maxPool: {
    ...local,
    shape: ({ kernel, stride }, [x], name) =>
      reduced(x, { kernel, stride }, mapOf(x, name).channels, name),
    reach: ({ kernel, stride }, r) => r * stride + kernel - 1,
    readsReduced: true,
  },
  resize: {
    ...local,
    shape: (_, [x, like], name) => ({ ...mapOf(like, name), channels: mapOf(x, name).channels }),
    reach: ({ factor }, r) => Math.ceil(r / factor) + 1,
    readsReduced: true,
  },
};
