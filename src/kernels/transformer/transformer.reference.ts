import type { Grouping } from '../../graph/transformerOp.ts';
import { bilinearReference } from '../maps/enlarge.reference.ts';
import { type PlanarMap, planarMap } from '../planar.ts';

/** Scores [groups, heads, tokens, tokens]. */
export interface Scores {
  readonly dims: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

export function sliceReference(x: PlanarMap, first: number, count: number): PlanarMap {
  const plane = x.height * x.width;
  const y = planarMap(count, x.height, x.width);
  y.data.set(x.data.subarray(first * plane, (first + count) * plane));
  return y;
}

/** Zero-padded depthwise convolution; weights [C][k][k]. */
export function depthwiseReference(
  x: PlanarMap,
  weights: Float32Array,
  bias: Float32Array | null,
  kernel: number,
): PlanarMap {
  const { channels, height, width } = x;
  const y = planarMap(channels, height, width);
  const radius = kernel >> 1;
  for (let c = 0; c < channels; c++) {
    for (let row = 0; row < height; row++) {
      for (let col = 0; col < width; col++) {
        let sum = bias ? bias[c] : 0;
        for (let ky = 0; ky < kernel; ky++) {
          for (let kx = 0; kx < kernel; kx++) {
            const [r, q] = [row + ky - radius, col + kx - radius];
            if (r < 0 || q < 0 || r >= height || q >= width) continue;
            sum += weights[(c * kernel + ky) * kernel + kx] * x.data[(c * height + r) * width + q];
          }
        }
        y.data[(c * height + row) * width + col] = sum;
      }
    }
  }
  return y;
}

/** Layer norm over the channels of each pixel, sums in f64. */
export function layerNormReference(
  x: PlanarMap,
  weight: Float32Array,
  bias: Float32Array,
  epsilon: number,
): PlanarMap {
  const { channels, height, width, data } = x;
  const plane = height * width;
  const y = planarMap(channels, height, width);
  for (let i = 0; i < plane; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += data[c * plane + i];
    const mean = sum / channels;
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += (data[c * plane + i] - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / channels + epsilon);
    for (let c = 0; c < channels; c++) {
      y.data[c * plane + i] = (data[c * plane + i] - mean) * factor * weight[c] + bias[c];
    }
  }
  return y;
}

export function scaleChannelsReference(x: PlanarMap, factors: Float32Array): PlanarMap {
  const plane = x.height * x.width;
  const y = planarMap(x.channels, x.height, x.width);
  for (let i = 0; i < y.data.length; i++) y.data[i] = x.data[i] * factors[Math.floor(i / plane)];
  return y;
}

/** The pixels of each group of a map, as indices, in the order of their positions. */
function groupsOf({ kind, side }: Grouping, width: number, height: number): number[][] {
  const [rows, columns] = [height / side, width / side];
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const at = (y: number, x: number) => y * width + x;
  if (kind === 'grid') {
    return range(side ** 2).map((group) =>
      range(rows * columns).map((i) =>
        at(
          Math.floor(i / columns) * side + Math.floor(group / side),
          (i % columns) * side + (group % side),
        ),
      ),
    );
  }
  return range(rows * columns).map((group) => {
    const [p, q] = [Math.floor(group / columns), group % columns];
    return range(side ** 2).map((i) => {
      const [a, b] = [Math.floor(i / side), i % side];
      return kind === 'windows'
        ? at(p * side + a, q * side + b)
        : at(a * rows + p, b * columns + q);
    });
  });
}

/** The row of a position table for a query and a key of a window of side w. */
function tableRow(query: number, key: number, w: number): number {
  const dy = Math.floor(query / w) - Math.floor(key / w) + w - 1;
  return dy * (2 * w - 1) + (query % w) - (key % w) + w - 1;
}

export function groupScoresReference(
  x: PlanarMap,
  table: Float32Array | null,
  {
    grouping,
    heads,
    channels,
  }: { readonly grouping: Grouping; readonly heads: number; readonly channels: number },
): Scores {
  const groups = groupsOf(grouping, x.width, x.height);
  const tokens = grouping.side ** 2;
  const plane = x.width * x.height;
  const data = new Float32Array(groups.length * heads * tokens ** 2);
  const depth = channels / heads;
  let at = 0;
  for (const pixels of groups) {
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < tokens; i++) {
        const scores = pixels.map((key, j) => {
          let sum = 0;
          for (let c = head * depth; c < (head + 1) * depth; c++) {
            sum += x.data[c * plane + pixels[i]] * x.data[(channels + c) * plane + key];
          }
          const row = tableRow(i, j, grouping.side);
          return sum / Math.sqrt(depth) + (table ? table[row * heads + head] : 0);
        });
        data.set(softmax(scores), at);
        at += tokens;
      }
    }
  }
  return { dims: [groups.length, heads, tokens, tokens], data };
}

export function groupMixReference(
  x: PlanarMap,
  scores: Scores,
  grouping: Grouping,
  first: number,
  channels: number,
): PlanarMap {
  const y = planarMap(channels, x.height, x.width);
  const plane = x.width * x.height;
  const [, heads, tokens] = scores.dims;
  groupsOf(grouping, x.width, x.height).forEach((pixels, group) => {
    for (let c = 0; c < channels; c++) {
      const head = Math.floor((c * heads) / channels);
      pixels.forEach((to, i) => {
        const row = ((group * heads + head) * tokens + i) * tokens;
        let sum = 0;
        pixels.forEach((from, j) => {
          sum += scores.data[row + j] * x.data[(first + c) * plane + from];
        });
        y.data[c * plane + to] = sum;
      });
    }
  });
  return y;
}

export function channelAttentionReference(
  x: PlanarMap,
  temperature: Float32Array,
  grouping: Grouping,
): PlanarMap {
  const channels = x.channels / 3;
  const heads = temperature.length;
  const depth = channels / heads;
  const plane = x.width * x.height;
  const y = planarMap(channels, x.height, x.width);
  for (const pixels of groupsOf(grouping, x.width, x.height)) {
    /** Channel c of queries (0), keys (1) or values (2). */
    const line = (part: number, c: number) =>
      pixels.map((pixel) => x.data[(part * channels + c) * plane + pixel]);
    const unit = (values: number[]) => {
      const norm = Math.max(Math.sqrt(values.reduce((sum, v) => sum + v * v, 0)), 1e-12);
      return values.map((v) => v / norm);
    };
    for (let head = 0; head < heads; head++) {
      const own = Array.from({ length: depth }, (_, i) => head * depth + i);
      const keys = own.map((c) => unit(line(1, c)));
      const values = own.map((c) => line(2, c));
      for (const c of own) {
        const query = unit(line(0, c));
        const weights = softmax(
          keys.map((key) => temperature[head] * key.reduce((sum, k, i) => sum + k * query[i], 0)),
        );
        pixels.forEach((pixel, i) => {
          let sum = 0;
          weights.forEach((weight, d) => {
            sum += weight * values[d][i];
          });
          y.data[c * plane + pixel] = sum;
        });
      }
    }
  }
  return y;
}

/** Convolution without padding at every `stride`-th pixel; weights oihw. */
export function stridedConvReference(
  x: PlanarMap,
  weights: Float32Array,
  bias: Float32Array | null,
  { kernel, stride, cOut }: Record<'kernel' | 'stride' | 'cOut', number>,
): PlanarMap {
  const small = (side: number) => Math.floor((side - kernel) / stride) + 1;
  const y = planarMap(cOut, small(x.height), small(x.width));
  for (let o = 0; o < cOut; o++) {
    for (let row = 0; row < y.height; row++) {
      for (let col = 0; col < y.width; col++) {
        let sum = bias ? bias[o] : 0;
        for (let i = 0; i < x.channels; i++) {
          for (let ky = 0; ky < kernel; ky++) {
            for (let kx = 0; kx < kernel; kx++) {
              const from = (i * x.height + row * stride + ky) * x.width + col * stride + kx;
              sum += weights[((o * x.channels + i) * kernel + ky) * kernel + kx] * x.data[from];
            }
          }
        }
        y.data[(o * y.height + row) * y.width + col] = sum;
      }
    }
  }
  return y;
}

export function maxPoolReference(x: PlanarMap, kernel: number, stride: number): PlanarMap {
  const small = (side: number) => Math.floor((side - kernel) / stride) + 1;
  const y = planarMap(x.channels, small(x.height), small(x.width));
  for (let c = 0; c < y.channels; c++) {
    for (let row = 0; row < y.height; row++) {
      for (let col = 0; col < y.width; col++) {
        let most = Number.NEGATIVE_INFINITY;
        for (let ky = 0; ky < kernel; ky++) {
          for (let kx = 0; kx < kernel; kx++) {
            const from = (c * x.height + row * stride + ky) * x.width + col * stride + kx;
            most = Math.max(most, x.data[from]);
          }
        }
        y.data[(c * y.height + row) * y.width + col] = most;
      }
    }
  }
  return y;
}

/** Bilinear enlargement to a size, with half-pixel centres and clamped edges. */
export const resizeReference = (
  x: PlanarMap,
  { width, height }: { readonly width: number; readonly height: number },
): PlanarMap => bilinearReference(x, { x: width / x.width, y: height / x.height });

function softmax(values: readonly number[]): number[] {
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const e = values.map((v) => Math.exp(v - most));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}
