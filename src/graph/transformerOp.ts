/**
 * The ops of lightweight transformers (ASID, OmniSR, SwinIR and similar networks): norms, depthwise
 * convolutions, attention within groups of pixels or between channels, and maps of reduced size.
 *
 * Notation: C channels, H x W the map's size, w the side of a window. A *grouping* divides a map
 * into groups of pixels that attend to each other. H and W are multiples of w:
 * - `windows`: squares of w x w pixels. Group i * (W / w) + j, position a * w + b: pixel (i w + a,
 *   j w + b). They may be rectangles and may be shifted: see `Grouping`.
 * - `spread`: w x w pixels at distances of H / w and W / w, so each group covers the whole map.
 *   Group
 *   p * (W / w) + q, position a * w + b: pixel (a H / w + p, b W / w + q).
 * - `grid`: all pixels with the same y mod w and x mod w. Group (y mod w) * w + x mod w, positions
 *   in
 *   row-major order.
 */
import type { Size } from '../geometry.ts';
import { local, type Rules } from './rules.ts';
import { areaOf, GraphError, mapOf, type Reduction, type Shape, vectorOf } from './shape.ts';

export interface Grouping {
  readonly kind: 'windows' | 'spread' | 'grid';
  /** w. */
  readonly side: number;
  /** Only for windows: their height, if it is not w. */
  readonly rows?: number;
  /**
   * Only for windows: pixel (y, x) of the rolled map is pixel (y + shift.y, x + shift.x) of the map,
   * modulo its size. In the last row of windows, the first `rows - shift.y` rows and the others come
   * from opposite borders, and 100 is subtracted from scores between them; columns likewise.
   */
  readonly shift?: { readonly y: number; readonly x: number };
  /** Only for windows: the map is padded with zeros to the right and below to multiples of this. */
  readonly multiple?: number;
}

/** Rows and columns of a window, and the pixels in it. */
export function windowOf({ side, rows = side }: Grouping) {
  return { rows, columns: side, tokens: rows * side };
}

/** Rows and columns of windows of a map. */
export function windowsIn(grouping: Grouping, { width, height }: Size): Size {
  const { rows, columns } = windowOf(grouping);
  const { multiple = 1 } = grouping;
  const padded = (length: number) => Math.ceil(length / multiple) * multiple;
  return { width: padded(width) / columns, height: padded(height) / rows };
}

export type TransformerOp =
  /** The inverse of `pixelShuffle`, with the same channel order. */
  | { readonly op: 'pixelUnshuffle'; readonly scale: number }
  /** Channels `first` .. `first + count - 1` of a map. */
  | { readonly op: 'slice'; readonly first: number; readonly count: number }
  /** y[c, i, j] = x[c, i + by, j + by], and zero where x has no such pixel; `by` is 1 or -1. */
  | { readonly op: 'shift'; readonly by: 1 | -1 }
  /** Zero-padded depthwise convolution; weights [C, 1, k, k], bias [C]. */
  | {
      readonly op: 'depthwise';
      readonly kernel: 3 | 5 | 7;
      readonly weight: string;
      readonly bias: string | null;
    }
  /**
   * Layer norm over the channels of each pixel: (v - mean) / sqrt(variance + epsilon) * weight[c] + bias[c],
   * with the biased variance.
   */
  | {
      readonly op: 'layerNorm';
      readonly epsilon: number;
      readonly weight: string;
      readonly bias: string;
    }
  /** Map, vector [C] -> map: v[c] * x[c]. */
  | { readonly op: 'scaleChannels' }
  /**
   * Map with queries in the channels `query` .. `query + C - 1`, map with keys from `key` on (it may
   * be the same) -> [groups, heads, w^2, keys]: the softmax over the keys of q.k / sqrt(C / heads) +
   * T. T is the weight [(2 rows - 1) (2 w - 1), heads] under `table`, read at the row (a - a' + rows
   * - 1) (2 w - 1) + b - b' + w - 1 for the query's position (a, b) and the key's (a', b'). A head has
   * C / heads consecutive channels. The grouping is `windows` or `spread`.
   *
   * With `merge`, m, keys have C / m^2 channels, and those of m x m pixels are one key: its channels
   * are (row, column, channel) of the pixels. A window has w / m x w / m keys, and T has the rows of
   * a window of that side, with a and b divided by m.
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
   * Map with values in the channels from `first` on, scores -> map [C]: the values of each group,
   * summed with the scores as weights. `merge`: as above.
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
   * Map of queries, keys and values [3 C] -> map [C]: attention between the channels of each head, within
   * the pixels of a group. Queries and keys are divided by their norm over the group's pixels (at least
   * 1e-12), and v' = softmax_d(t[head] * q[c].k[d]) v[d]; t, [heads, 1, 1], under `temperature`.
   */
  | {
      readonly op: 'channelAttention';
      readonly grouping: Grouping;
      readonly heads: number;
      readonly temperature: string;
    }
  /** Convolution without padding at every `stride`-th pixel; weights oihw, bias [cOut]. */
  | {
      readonly op: 'stridedConv';
      readonly kernel: number;
      readonly stride: number;
      readonly cOut: number;
      readonly weight: string;
      readonly bias: string | null;
    }
  /** The maximum over squares of `kernel` pixels at every `stride`-th pixel; no padding. */
  | { readonly op: 'maxPool'; readonly kernel: number; readonly stride: number }
  /**
   * Map, map like -> the first map, enlarged bilinearly to the second's size (half-pixel centres,
   * clamped edges). `factor`: the approximate number of result pixels per pixel of the map.
   */
  | { readonly op: 'resize'; readonly factor: number };

type OpOf<K extends TransformerOp['op']> = Extract<TransformerOp, { readonly op: K }>;

const channelsOf = (shape: Shape): number => (shape.kind === 'map' ? shape.channels : 0);

const heads = (channels: number, count: number, name: string): void => {
  if (channels % count !== 0)
    throw new GraphError(`${name}: ${channels} channels in ${count} heads`);
};

function reduced(x: Shape, step: Reduction, channels: number, name: string): Shape {
  const shape = mapOf(x, name);
  return { ...shape, channels, reduced: [...(shape.reduced ?? []), step] };
}

export const TRANSFORMER: { readonly [K in TransformerOp['op']]: Rules<OpOf<K>> } = {
  pixelUnshuffle: {
    ...local,
    shape: ({ scale }, [x], name) => {
      const shape = mapOf(x, name);
      // A power of two, because the map's scale then stays an exact number.
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
  shift: { ...local, shape: (_, [x], name) => mapOf(x, name), reach: (_, r) => r + 1 },
  depthwise: {
    ...local,
    shape: (_, [x], name) => mapOf(x, name),
    multiplyAdds: ({ kernel }, shape) => kernel ** 2 * channelsOf(shape) * areaOf(shape),
    reach: ({ kernel }, r) => r + (kernel >> 1),
  },
  layerNorm: { ...local, shape: (_, [x], name) => mapOf(x, name) },
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
  },
  maxPool: {
    ...local,
    shape: ({ kernel, stride }, [x], name) =>
      reduced(x, { kernel, stride }, mapOf(x, name).channels, name),
    reach: ({ kernel, stride }, r) => r * stride + kernel - 1,
  },
  resize: {
    ...local,
    shape: (_, [x, like], name) => ({ ...mapOf(like, name), channels: mapOf(x, name).channels }),
    reach: ({ factor }, r) => Math.ceil(r / factor) + 1,
  },
};
