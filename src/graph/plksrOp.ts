/**
 * The ops of RealPLKSR and related networks: large-kernel convolutions of some of the channels,
 * group norm over the whole image in three steps, repetition of channels, and sampling at learned
 * offsets.
 *
 * Notation: a map `x` has `C` channels.
 */
import { local, pooling, type RuleTable } from './rules.ts';
import { areaOf, GraphError, type MapShape, mapOf, type Shape, vectorOf } from './shape.ts';

export type PlksrOp =
  /**
   * A zero-padded convolution of the first `count` channels, with an odd kernel size `k`. The other
   * channels are unchanged. The weights are [count, count, k, k], and the bias is [count].
   */
  | {
      readonly op: 'partialConv';
      readonly kernel: number;
      readonly count: number;
      readonly weight: string;
      readonly bias: string | null;
    }
  /** Reads a map and returns a vector: the mean square of each channel over all pixels. */
  | { readonly op: 'meanOfSquares' }
  /**
   * Reads a map and a vector [C] of its channels' means, and returns `x[c]` minus the vector's mean
   * over the group that contains channel `c`. A group has `C / groups` consecutive channels.
   */
  | { readonly op: 'centre'; readonly groups: number }
  /**
   * Reads a map and a vector [C] of its channels' mean squares, and returns
   * `x[c] / sqrt(m + epsilon) * weight[c] + bias[c]`. Here, `m` is the vector's mean over the group
   * that contains channel `c`. A group norm (with the biased variance) consists of `centre`,
   * `meanOfSquares` and this op. The last two read the map that `centre` returns.
   */
  | {
      readonly op: 'groupNorm';
      readonly groups: number;
      readonly epsilon: number;
      readonly weight: string;
      readonly bias: string;
    }
  /** Copies channel `c` of the map to the channels from `c * times` to `(c + 1) * times - 1`. */
  | { readonly op: 'repeatChannels'; readonly times: number }
  /**
   * DySample. Reads a map `z` [C] and a map `o` [2 * g * s^2], and returns a map that is enlarged
   * by `s`. The channels of `z` are divided into `g` groups. For each group `q` and each pixel of
   * the result, in row `s * Y + i` and column `s * X + j`:
   *   o_x  = channel q * s^2 + i * s + j of o at row Y, column X
   *   o_y  = channel g * s^2 + q * s^2 + i * s + j of o at row Y, column X
   *   h(k) = (k - (s - 1) / 2) / s
   * The `C / g` channels of the group are sampled bilinearly at row `Y + o_y / 2 + h(i)` and column
   * `X + o_x / 2 + h(j)`. This position is clamped to the range between the centres of the
   * outermost pixels.
   *
   * If `sum` is not null, each group has 4 channels. The groups are then added up channel by
   * channel, and the result consists of the first `sum` channels of this total.
   */
  | {
      readonly op: 'dySample';
      readonly scale: number;
      readonly groups: number;
      readonly sum: number | null;
    };

/**
 * Returns the shape of a map whose channels are divided into groups. Also checks that the second
 * input is a vector with one element per channel.
 */
function grouped(
  { groups }: { readonly groups: number },
  [x, v]: readonly Shape[],
  name: string,
): MapShape {
  const shape = mapOf(x, name);
  if (vectorOf(v, name).length !== shape.channels || shape.channels % groups !== 0) {
    throw new GraphError(`${name}: ${shape.channels} channels in ${groups} groups`);
  }
  return shape;
}

export const PLKSR: RuleTable<PlksrOp> = {
  partialConv: {
    ...local,
    shape: ({ count }, [x], name) => {
      const shape = mapOf(x, name);
      if (count > shape.channels) throw new GraphError(`${name}: ${count} of ${shape.channels}`);
      return shape;
    },
    multiplyAdds: ({ kernel, count }, shape) => kernel ** 2 * count ** 2 * areaOf(shape),
    reach: ({ kernel }, r) => r + (kernel >> 1),
  },
  meanOfSquares: pooling,
  centre: { ...local, shape: grouped },
  groupNorm: { ...local, shape: grouped },
  repeatChannels: {
    ...local,
    shape: ({ times }, [x], name) => {
      const shape = mapOf(x, name);
      return { ...shape, channels: shape.channels * times };
    },
  },
  dySample: {
    ...local,
    shape: ({ scale, groups, sum }, [z, o], name) => {
      const shape = mapOf(z, name);
      const fits = sum === null ? shape.channels % groups === 0 : shape.channels === 4 * groups;
      if (!fits || mapOf(o, name).channels !== 2 * groups * scale ** 2) {
        throw new GraphError(`${name}: ${shape.channels} channels in ${groups} groups`);
      }
      return { ...shape, channels: sum ?? shape.channels, scale: shape.scale * scale };
    },
    // The 2 extra pixels are enough only if no learned offset is larger than one pixel.
    reach: ({ scale }, r) => Math.ceil(r / scale) + 2,
  },
};
