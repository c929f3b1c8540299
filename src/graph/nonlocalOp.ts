/**
 * The ops of attention to far pixels: clustered, sorted and shared attention (LCoAN, arXiv 2404.04922)
 * and sparse keys at learned offsets (ACLA, arXiv 2203.03619).
 *
 * Notation: L pixels, R rounds of clustering, K clusters, windows of w rows in sorted order,
 * n = ceil(L / w) windows. Pixels are numbered row by row; a map is read as L rows of its channels.
 */
import { GraphError, mapOf, type Shape } from './shape.ts';

/** How the gate of adaptive attention acts on the logits a; b are the logits of its mask. */
export type Gate =
  /** a * (b > 0 ? 1 : 0): a closed key keeps the weight of a logit of zero. */
  | 'zero'
  /** Keys with b <= 0 leave the softmax and are not sampled; with none left the result is zero. */
  | 'exclude'
  /** a * softmax of b over the keys. */
  | 'soft'
  /** a * softmax of b over the columns of the image, which is what the released module computes. */
  | 'columns';

/**
 * Which channels of the offset map are key t's (dy, dx): 2t and 2t + 1, or, as the released modules
 * have it, t and t + 1.
 */
export type OffsetLayout = 'paired' | 'released';

export type NonlocalOp =
  /**
   * Map [D] (and means, if `weight` is null) -> [R, L, K]: dot product of each row, divided by
   * max(its norm, 1e-12) if `normalised`, with each of the centroids [R, K, D].
   */
  | {
      readonly kind: 'similarity';
      readonly rounds: number;
      readonly clusters: number;
      readonly normalised: boolean;
      readonly weight: string | null;
    }
  /** [R, L, K] -> [R * L]: index of the largest, the first of equals, plus r * K. */
  | { readonly kind: 'argmax'; readonly rounds: number; readonly clusters: number }
  /** Codes [R * L] -> [R * L]: where each goes in the stable order by code. */
  | { readonly kind: 'rank'; readonly rounds: number; readonly clusters: number }
  /** A permutation [R * L] -> its inverse. Of ranks: the positions (plus r * L), sorted. */
  | { readonly kind: 'inverse'; readonly rounds: number }
  /** Map [D] -> [R, K, D]: the rows of the pixels floor(k * L / K). */
  | { readonly kind: 'startMeans'; readonly rounds: number; readonly clusters: number }
  /**
   * Map, codes, order, means -> [R, K, D]: the sum of each cluster's rows, divided by
   * max(its norm, 1e-12); an empty cluster keeps its mean.
   */
  | { readonly kind: 'clusterMeans'; readonly rounds: number; readonly clusters: number }
  /**
   * Map [D], order -> [R, n, w, spans * w]: softmax of Q K^T for the rows of each window; K are the
   * rows divided by max(norm, 5e-5) of the window itself and, with 3 spans, of the windows before and
   * after it, in a circle. The last window is filled up with the last rows again (`paddedRow`).
   */
  | {
      readonly kind: 'attention';
      readonly rounds: number;
      readonly window: number;
      readonly spans: 1 | 3;
    }
  /** Attention -> [R, n * w]: log of the sum of the exponentials of its softmax. */
  | { readonly kind: 'logSumExp'; readonly rounds: number; readonly window: number }
  /**
   * Map [C], order, rank, attention, logSumExp -> map [C]: the attention's weighted sums of rows, put
   * back in place, and those of the rounds added with the weights softmax_r(logSumExp).
   */
  | {
      readonly kind: 'attend';
      readonly rounds: number;
      readonly window: number;
      readonly spans: 1 | 3;
    }
  /** Map of logits [N] (and of mask logits) -> softmax over the channels, behind a gate. */
  | { readonly kind: 'keySoftmax'; readonly gate: Gate | null }
  /**
   * Weights [N], offsets [2 N], reference [C] (and a sum so far) -> [C]: the sum over the keys t of
   * `first` .. `first + keys - 1` of weight t times the reference at (y + dy, x + dx), bilinearly, with
   * zeros outside. Keys of weight zero are skipped.
   */
  | {
      readonly kind: 'sampleKeys';
      readonly first: number;
      readonly keys: number;
      readonly offsets: OffsetLayout;
    };

type Kind = NonlocalOp['kind'];
type SpecOf<K extends Kind> = Extract<NonlocalOp, { readonly kind: K }>;

/** What follows from an op's spec: as `Rules` of `ops.ts`; what is absent is 0 or false. */
export interface NonlocalRules<O extends NonlocalOp> {
  readonly shape: (spec: O, inputs: readonly Shape[], name: string) => Shape;
  readonly multiplyAdds?: (spec: O, inputs: readonly Shape[]) => number;
  readonly global?: (spec: O) => boolean;
  /** Pixels on each side that it looks at, unless it is global: Infinity where offsets are learned. */
  readonly reach?: number;
}

const table = (dims: (pixels: number) => readonly number[], integer = false): Shape => ({
  kind: 'table',
  dims,
  integer,
});

const channelsOf = (shape: Shape, name = 'the input'): number => mapOf(shape, name).channels;

const centroids = (
  { rounds, clusters }: { rounds: number; clusters: number },
  [x]: readonly Shape[],
  name: string,
): Shape => {
  const channels = channelsOf(x, name);
  return table(() => [rounds, clusters, channels]);
};

export const NONLOCAL: { readonly [K in Kind]: NonlocalRules<SpecOf<K>> } = {
  similarity: {
    shape: ({ rounds, clusters }) => table((pixels) => [rounds, pixels, clusters]),
    multiplyAdds: ({ rounds, clusters }, [x]) => rounds * clusters * channelsOf(x),
  },
  argmax: { shape: ({ rounds }) => table((pixels) => [rounds * pixels], true) },
  rank: { shape: ({ rounds }) => table((pixels) => [rounds * pixels], true) },
  inverse: { shape: ({ rounds }) => table((pixels) => [rounds * pixels], true) },
  startMeans: { shape: centroids },
  clusterMeans: { shape: centroids },
  attention: {
    shape: ({ rounds, window, spans }) =>
      table((pixels) => [rounds, Math.ceil(pixels / window), window, spans * window]),
    multiplyAdds: ({ rounds, window, spans }, [x]) => rounds * spans * window * channelsOf(x),
  },
  logSumExp: {
    shape: ({ rounds, window }) => table((pixels) => [rounds, Math.ceil(pixels / window) * window]),
  },
  attend: {
    shape: (_, [x], name) => mapOf(x, name),
    multiplyAdds: ({ rounds, window, spans }, [x]) => rounds * spans * window * channelsOf(x),
    global: () => true,
  },
  keySoftmax: {
    shape: (_, [logits, mask], name) => {
      const shape = mapOf(logits, name);
      if (mask && channelsOf(mask, name) !== shape.channels) {
        throw new GraphError(`${name}: the mask has other keys`);
      }
      return shape;
    },
    global: ({ gate }) => gate === 'columns',
  },
  sampleKeys: {
    shape: ({ first, keys }, [weights, offsets, reference], name) => {
      const [given, map] = [channelsOf(weights, name), channelsOf(offsets, name)];
      if (first + keys > given || map !== 2 * given) {
        throw new GraphError(`${name}: ${given} keys with ${map} offsets`);
      }
      return mapOf(reference, name);
    },
    // Four taps and the weight for each key and channel.
    multiplyAdds: ({ keys }, inputs) => 5 * keys * channelsOf(inputs[2]),
    reach: Number.POSITIVE_INFINITY,
  },
};

/** Index among L sorted rows that row `j` of the filled-up windows repeats. */
export function paddedRow(j: number, length: number, window: number): number {
  if (j < length) return j;
  const end = Math.ceil(length / window) * window;
  return length - 1 - ((end - 1 - j) % length);
}
