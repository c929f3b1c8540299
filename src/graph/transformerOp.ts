/**
 * The ops of lightweight transformers (ASID, OmniSR, SwinIR and similar networks): norms, depthwise
 * convolutions, attention within groups of pixels or between channels, and maps of reduced size.
 *
 * Notation: C channels, H x W the map's size, w the side of a window. A *grouping* divides a map
 * into groups of pixels that attend to each other. H and W are multiples of w:
 * - `windows`: squares of w x w pixels. Group i * (W / w) + j, position a * w + b: pixel (i w + a,
 *   j w + b).
 * - `spread`: w x w pixels at distances of H / w and W / w, so each group covers the whole map.
 *   Group
 *   p * (W / w) + q, position a * w + b: pixel (a H / w + p, b W / w + q).
 * - `grid`: all pixels with the same y mod w and x mod w. Group (y mod w) * w + x mod w, positions
 *   in
 *   row-major order.
 */
import { GraphError, mapOf, type Reduction, type Shape, vectorOf } from './shape.ts';

export interface Grouping {
  readonly kind: 'windows' | 'spread' | 'grid';
  /** w. */
  readonly side: number;
}

export type TransformerOp =
  /** Channels `first` .. `first + count - 1` of a map. */
  | { readonly op: 'slice'; readonly first: number; readonly count: number }
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
   * Map with queries and keys in its first 2 C channels -> [groups, heads, w^2, w^2]: the softmax
   * over the keys of q.k / sqrt(C / heads) + T. T is the weight [(2 w - 1)^2, heads] under `table`,
   * read at the row (a - a' + w - 1) (2 w
   * - 1) + b - b' + w - 1 for the query's position (a, b) and the key's (a', b'). A head has C /
   *   heads consecutive channels. The grouping is `windows` or `spread`.
   */
  | {
      readonly op: 'groupScores';
      readonly grouping: Grouping;
      readonly heads: number;
      readonly channels: number;
      readonly table: string | null;
    }
  /**
   * Map with values in the channels `first` .. `first + C - 1`, scores -> map [C]: the values of
   * each group, summed with the scores as weights.
   */
  | {
      readonly op: 'groupMix';
      readonly grouping: Grouping;
      readonly heads: number;
      readonly first: number;
      readonly channels: number;
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

/** What the table of ops needs from an op: see `ops.ts`. */
interface Rules<O> {
  readonly shape: (op: O, inputs: readonly Shape[], name: string) => Shape;
  readonly multiplyAdds: (op: O, shape: Shape, inputs: readonly Shape[]) => number;
  readonly reach: (op: O, r: number) => number;
  readonly global: (op: O) => 'means' | 'pixels' | null;
}

const local = { multiplyAdds: () => 0, reach: (_: unknown, r: number) => r, global: () => null };

type OpOf<K extends TransformerOp['op']> = Extract<TransformerOp, { readonly op: K }>;

/** Pixels of a map per LR pixel. */
export const areaOf = (shape: Shape): number => {
  if (shape.kind !== 'map') return 0;
  const strides = shape.reduced?.reduce((product, { stride }) => product * stride, 1) ?? 1;
  return (shape.scale / strides) ** 2;
};

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
    shape: (op, [x], name) => {
      const { channels } = mapOf(x, name);
      if (channels < 2 * op.channels) throw new GraphError(`${name}: ${channels} channels`);
      heads(op.channels, op.heads, name);
      const tokens = op.grouping.side ** 2;
      return {
        kind: 'table',
        dims: (pixels) => [Math.ceil(pixels / tokens), op.heads, tokens, tokens],
        integer: false,
      };
    },
    multiplyAdds: ({ grouping, channels }, _, [x]) => grouping.side ** 2 * channels * areaOf(x),
  },
  groupMix: {
    shape: ({ first, channels, heads: count }, [x], name) => {
      const shape = mapOf(x, name);
      if (first + channels > shape.channels) throw new GraphError(`${name}: no such channels`);
      heads(channels, count, name);
      return { ...shape, channels };
    },
    multiplyAdds: ({ grouping, channels }, shape) => grouping.side ** 2 * channels * areaOf(shape),
    reach: ({ grouping }, r) => r + grouping.side - 1,
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
