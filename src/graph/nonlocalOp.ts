/**
 * The ops of non-local attention: clustered, sorted and shared attention (LCoAN, arXiv 2404.04922),
 * and attention to sparse keys at learned offsets (ACLA, arXiv 2203.03619).
 *
 * Notation: there are `L` pixels, numbered in row-major order. A map is read as `L` rows. Each row
 * contains the channels of one pixel. There are `R` rounds of clustering and `K` clusters. `r` is
 * the index of a round. In each round, the sorted rows form `n = ceil(L / w)` windows of `w` rows.
 * A map [D] has `D` channels, and a map [C] has `C`. `N` is the number of keys.
 */
import { pixelsOf } from '../geometry.ts';
import { GraphError, mapOf, type Shape } from './shape.ts';

/** How adaptive attention's gate changes the logits `a`. The mask's logits are called `b`. */
export type Gate =
  /**
   * Uses `a * (b > 0 ? 1 : 0)`. A key with `b <= 0` gets a logit of zero, so its weight is not
   * zero.
   */
  | 'zero'
  /**
   * Excludes keys with `b <= 0` from the softmax and from sampling. If this excludes every key, the
   * result is zero.
   */
  | 'exclude'
  /** Uses `a * s`, where `s` is the softmax of `b` over the keys. */
  | 'soft'
  /**
   * Uses `a * s`, as in ACLA's released code. For each key, `s` is the softmax of `b` over the
   * pixels of one image row.
   */
  | 'columns';

/**
 * Which of the offset map's channels contain the offset `(dy, dx)` of key `t`. For `paired`, these
 * are `2 * t` and `2 * t + 1`. For `released`, they are `t` and `t + 1`, as in ACLA's released
 * code.
 */
export type OffsetLayout = 'paired' | 'released';

export type NonlocalOp =
  /**
   * Reads a map [D] and returns [R, L, K]: the dot product of each row with each centroid. The
   * centroids [R, K, D] are the tensor that `weight` names or, if `weight` is null, the second
   * input. If `normalised` is true, each product is divided by the norm of the row (at least
   * 1e-12).
   */
  | {
      readonly kind: 'similarity';
      readonly rounds: number;
      readonly clusters: number;
      readonly normalised: boolean;
      readonly weight: string | null;
    }
  /**
   * Reads [R, L, K] and returns [R * L]: the index of the largest value, plus `r * K`. If several
   * values are equal, the lowest index is used. If `chunk` is given, only the first
   * `bucketsOf(L, chunk, K)` values are compared.
   */
  | {
      readonly kind: 'argmax';
      readonly rounds: number;
      readonly clusters: number;
      readonly chunk?: number;
    }
  /** Reads codes [R * L] and returns [R * L]: the position of each code after a stable sort. */
  | { readonly kind: 'rank'; readonly rounds: number; readonly clusters: number }
  /**
   * Reads a permutation [R * L] and returns its inverse. The inverse of the result of `rank` is
   * called the order. For each position in sorted order, it contains the number of the pixel at
   * that position, plus `r * L`.
   */
  | { readonly kind: 'inverse'; readonly rounds: number }
  /**
   * Reads a map [D] and returns the initial means [R, K, D]. The mean of cluster `k` is the row of
   * pixel `floor(k * L / K)`.
   */
  | { readonly kind: 'startMeans'; readonly rounds: number; readonly clusters: number }
  /**
   * Reads a map [D], the cluster codes, the order and the old means, and returns the new means
   * [R, K, D]. A cluster's new mean is the sum of its rows, divided by the norm of the sum (at
   * least 1e-12). An empty cluster keeps its mean.
   */
  | { readonly kind: 'clusterMeans'; readonly rounds: number; readonly clusters: number }
  /**
   * Reads a map [D] and an order, and returns [R, n, w, spans * w]: the softmax of the dot products
   * of queries and keys in each window. The queries are the rows of the window. The keys are the
   * same rows divided by their norms (at least 5e-5). With 3 spans, the rows of the previous and
   * the next window are also used as keys. The first window follows the last. The last rows are
   * repeated to fill the last window (see `paddedRow`). An optional third input, a map [w],
   * contains biases. The bias for query `q` and a key is the value of channel `q mod w` at the
   * key's pixel, and it is added to their dot product.
   */
  | {
      readonly kind: 'attention';
      readonly rounds: number;
      readonly window: number;
      readonly spans: 1 | 3;
    }
  /**
   * Reads the result of `attention` and returns [R, n * w]: for each query, the log-sum-exp of the
   * scores from which `attention` computed the softmax.
   */
  | { readonly kind: 'logSumExp'; readonly rounds: number; readonly window: number }
  /**
   * Reads a map [C], the order, and the results of `rank`, `attention` and `logSumExp`, and returns
   * a map [C]. In each round, a pixel gets the sum of its keys' rows, weighted by the attention.
   * The sums of all rounds are then added, weighted by the softmax of `logSumExp` over the rounds.
   */
  | {
      readonly kind: 'attend';
      readonly rounds: number;
      readonly window: number;
      readonly spans: 1 | 3;
    }
  /**
   * Reads a map of logits [N] (and a map of mask logits, if there is a gate). Returns the softmax
   * over channels. `Gate` describes how the mask changes it.
   */
  | { readonly kind: 'keySoftmax'; readonly gate: Gate | null }
  /**
   * Reads weights [N], offsets [2 * N] and a reference [C] (and optionally a previous sum [C]).
   * Returns a map [C]: for each pixel, the previous sum plus a term for each key from `first` to
   * `first + keys - 1`. Each term is the key's weight times a sample of the reference, taken at the
   * pixel's position plus the key's offset. Sampling is bilinear, with zeros outside the map. Keys
   * with a weight of zero are skipped.
   */
  | {
      readonly kind: 'sampleKeys';
      readonly first: number;
      readonly keys: number;
      readonly offsets: OffsetLayout;
    };

type Kind = NonlocalOp['kind'];
type SpecOf<K extends Kind> = Extract<NonlocalOp, { readonly kind: K }>;

/**
 * The rules for one kind of non-local op. `ops.ts` builds the op's `Rules` from them. If
 * `multiplyAdds` or `reach` is absent, it counts as 0. If `global` is absent, it counts as false.
 */
export interface NonlocalRules<O extends NonlocalOp> {
  readonly shape: (spec: O, inputs: readonly Shape[], name: string) => Shape;
  readonly multiplyAdds?: (spec: O, inputs: readonly Shape[]) => number;
  readonly global?: (spec: O) => boolean;
  /**
   * The number of pixels that the op reads on each side of a result pixel. It is infinite if the
   * offsets are learned.
   */
  readonly reach?: number;
}

const table = (dims: (pixels: number) => readonly number[], integer = false): Shape => ({
  kind: 'table',
  dims: (size) => dims(pixelsOf(size)),
  integer,
});

const channelsOf = (shape: Shape, name = 'the input'): number => mapOf(shape, name).channels;

const centroids = (
  { rounds, clusters }: SpecOf<'startMeans' | 'clusterMeans'>,
  [x]: readonly Shape[],
  name: string,
): Shape => {
  const channels = channelsOf(x, name);
  return table(() => [rounds, clusters, channels]);
};

/** The rules of ops that return one integer for each pixel in each round. */
const numbers: NonlocalRules<SpecOf<'argmax' | 'rank' | 'inverse'>> = {
  shape: ({ rounds }) => table((pixels) => [rounds * pixels], true),
};

export const NONLOCAL: { readonly [K in Kind]: NonlocalRules<SpecOf<K>> } = {
  similarity: {
    shape: ({ rounds, clusters }) => table((pixels) => [rounds, pixels, clusters]),
    multiplyAdds: ({ rounds, clusters }, [x]) => rounds * clusters * channelsOf(x),
  },
  argmax: numbers,
  rank: numbers,
  inverse: numbers,
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
    // For each key and channel, there are four multiply-adds for the taps and one for the weight.
    multiplyAdds: ({ keys }, inputs) => 5 * keys * channelsOf(inputs[2]),
    reach: Number.POSITIVE_INFINITY,
  },
};

/**
 * Returns the number of hash buckets: `floor(pixels / chunk)`, rounded up to an even number and
 * clamped to the range [2, `most`].
 */
export function bucketsOf(pixels: number, chunk: number, most: number): number {
  const buckets = Math.floor(pixels / chunk);
  return Math.min(most, Math.max(2, buckets + (buckets % 2)));
}

/**
 * Returns the index, in sorted order, of the row at position `j`. Positions are counted across all
 * windows. `length` is the number of rows. If the last window is not full, the last rows are
 * repeated to fill it.
 */
export function paddedRow(j: number, length: number, window: number): number {
  if (j < length) return j;
  const end = Math.ceil(length / window) * window;
  return length - 1 - ((end - 1 - j) % length);
}
