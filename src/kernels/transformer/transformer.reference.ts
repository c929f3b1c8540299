import type { Size } from '../../geometry.ts';
import { type Grouping, windowOf, windowsIn } from '../../graph/transformerOp.ts';
import { bilinearSteps } from '../maps/enlarge.reference.ts';
import { softmax } from '../nonlocal/nonlocal.reference.ts';
import { addShifted, mapLike, type PlanarMap, type Reals, realsLike } from '../planar.ts';
import { atOnce, each, type Steps } from '../steps.ts';
import type { ScoreSpec as KernelSpec } from './transformer.ts';

/** Attention scores with the dimensions [groups, heads, tokens, keys]. */
export interface Scores<T extends Reals = Float32Array<ArrayBuffer>> {
  readonly dims: readonly number[];
  readonly data: T;
}

export function sliceReference<T extends Reals>(
  x: PlanarMap<T>,
  first: number,
  count: number,
): PlanarMap<T> {
  const plane = x.height * x.width;
  const y = mapLike(x, count, x.height, x.width);
  y.data.set(x.data.subarray(first * plane, (first + count) * plane));
  return y;
}

/** Computes `y[c, i, j] = x[c, i + by, j + by]`. Pixels outside of `x` count as zero. */
export function shiftReference<T extends Reals>(x: PlanarMap<T>, by: number): PlanarMap<T> {
  const { channels, height, width } = x;
  const y = mapLike(x, channels, height, width);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const [row, column] = [i + by, j + by];
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        y.data[(c * height + i) * width + j] = x.data[(c * height + row) * width + column];
      }
    }
  }
  return y;
}

/** A zero-padded depthwise convolution with weights [C][k][k]. */
export function* depthwiseSteps<T extends Reals>(
  x: PlanarMap<T>,
  weights: Float32Array,
  bias: Float32Array | null,
  kernel: number,
): Steps<PlanarMap<T>> {
  const { channels, height, width } = x;
  const y = mapLike(x, channels, height, width);
  const radius = kernel >> 1;
  const sums = new Float64Array(width);
  for (let c = 0; c < channels; c++) {
    yield* each(height, (row) => {
      sums.fill(bias ? bias[c] : 0);
      for (let ky = 0; ky < kernel; ky++) {
        const r = row + ky - radius;
        if (r < 0 || r >= height) continue;
        const line = x.data.subarray((c * height + r) * width, (c * height + r + 1) * width);
        for (let kx = 0; kx < kernel; kx++) {
          addShifted(sums, weights[(c * kernel + ky) * kernel + kx], line, kx - radius);
        }
      }
      y.data.set(sums, (c * height + row) * width);
    });
  }
  return y;
}
export const depthwiseReference = atOnce(depthwiseSteps);

/** A layer norm over the channels of each pixel, with sums in f64. */
export function* layerNormSteps<T extends Reals>(
  x: PlanarMap<T>,
  weight: Float32Array,
  bias: Float32Array,
  epsilon: number,
): Steps<PlanarMap<T>> {
  const { channels, height, width, data } = x;
  const plane = height * width;
  const y = mapLike(x, channels, height, width);
  yield* each(plane, (i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += data[c * plane + i];
    const mean = sum / channels;
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += (data[c * plane + i] - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / channels + epsilon);
    for (let c = 0; c < channels; c++) {
      y.data[c * plane + i] = (data[c * plane + i] - mean) * factor * weight[c] + bias[c];
    }
  });
  return y;
}
export const layerNormReference = atOnce(layerNormSteps);

export function scaleChannelsReference<T extends Reals>(
  x: PlanarMap<T>,
  factors: Reals,
): PlanarMap<T> {
  const plane = x.height * x.width;
  const y = mapLike(x, x.channels, x.height, x.width);
  for (let i = 0; i < y.data.length; i++) y.data[i] = x.data[i] * factors[Math.floor(i / plane)];
  return y;
}

/** The index that `groupsOf` returns for a pixel beyond the map. */
const ABSENT = -1;

/**
 * Divides a map into groups. Returns an array for each group; its element `i` is the index of the
 * pixel at position `i` in the group.
 */
function groupsOf(grouping: Grouping, width: number, height: number): number[][] {
  const { kind, side, shift = { y: 0, x: 0 } } = grouping;
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const at = (y: number, x: number) => (y < height && x < width ? y * width + x : ABSENT);
  const window = windowOf(grouping);
  const windows = windowsIn(grouping, { width, height });
  if (kind === 'grid') {
    return range(side ** 2).map((group) =>
      range(windows.width * windows.height).map((i) =>
        at(
          Math.floor(i / windows.width) * side + Math.floor(group / side),
          (i % windows.width) * side + (group % side),
        ),
      ),
    );
  }
  return range(windows.width * windows.height).map((group) => {
    const [p, q] = [Math.floor(group / windows.width), group % windows.width];
    return range(window.tokens).map((i) => {
      const [a, b] = [Math.floor(i / side), i % side];
      if (kind === 'spread') return at(a * windows.height + p, b * windows.width + q);
      return at(
        (p * window.rows + a + shift.y) % (windows.height * window.rows),
        (q * side + b + shift.x) % (windows.width * side),
      );
    });
  });
}

/** The parameters of the op `groupScores`. */
export type ScoreSpec = Omit<KernelSpec, 'table'>;

/**
 * Returns a function that finds which pixel of a window contains channel `c` of a key. A key
 * consists of all channels of `merge` x `merge` pixels. The function returns the pixel's position
 * in the window, and the index of the channel within the pixel.
 */
function keyElement({ grouping, channels, merge }: Omit<ScoreSpec, 'query' | 'key' | 'heads'>) {
  const { columns } = windowOf(grouping);
  const perPixel = channels / merge ** 2;
  return (key: number, c: number) => {
    const [y, x] = [Math.floor(key / (columns / merge)), key % (columns / merge)];
    const part = Math.floor(c / perPixel);
    const row = y * merge + Math.floor(part / merge);
    return { position: row * columns + x * merge + (part % merge), channel: c % perPixel };
  };
}

/** Returns the row of the position table for a query and a key. */
function tableRow(query: number, key: number, grouping: Grouping, merge: number): number {
  const window = windowOf(grouping);
  const [rows, columns] = [window.rows / merge, window.columns / merge];
  const y = Math.floor(Math.floor(query / window.columns) / merge);
  const x = Math.floor((query % window.columns) / merge);
  const dy = y - Math.floor(key / columns) + rows - 1;
  return dy * (2 * columns - 1) + x - (key % columns) + columns - 1;
}

/**
 * Returns a function that labels positions in a window. Scores between positions with different
 * labels are reduced by 100. If the map is rolled by `shift`, the windows in the last row and
 * column contain pixels from opposite borders of the map. Pixels from different borders get
 * different labels.
 */
function labelOf(grouping: Grouping, group: number, windows: Size) {
  const { rows, columns } = windowOf(grouping);
  const { shift } = grouping;
  const lastRow = Math.floor(group / windows.width) === windows.height - 1;
  const lastColumn = group % windows.width === windows.width - 1;
  return (position: number): number => {
    if (!shift) return 0;
    const [y, x] = [Math.floor(position / columns), position % columns];
    const below = lastRow && y >= rows - shift.y;
    const right = lastColumn && x >= columns - shift.x;
    return (below ? 2 : 0) + (right ? 1 : 0);
  };
}

/**
 * Returns the queries, keys or values of one head of a group, one per row. For queries,
 * `spec.merge` must be 1.
 */
function headRows(
  map: PlanarMap<Reals>,
  spec: Pick<ScoreSpec, 'grouping' | 'heads' | 'channels' | 'merge'>,
  first: number,
  pixels: readonly number[],
  head: number,
): Float64Array[] {
  const depth = spec.channels / spec.heads;
  const plane = map.width * map.height;
  const element = keyElement(spec);
  return Array.from({ length: pixels.length / spec.merge ** 2 }, (_, j) =>
    Float64Array.from({ length: depth }, (_, d) => {
      const { position, channel } = element(j, head * depth + d);
      const pixel = pixels[position];
      return pixel === ABSENT ? 0 : map.data[(first + channel) * plane + pixel];
    }),
  );
}

/** Returns the scores of one head of a group, as rows [tokens][keys]. */
function scoresOf(
  [q, k]: readonly [PlanarMap<Reals>, PlanarMap<Reals>],
  table: Float32Array | null,
  spec: ScoreSpec,
  group: { readonly index: number; readonly pixels: readonly number[] },
  head: number,
): number[][] {
  const { grouping, heads, channels, query, key, merge } = spec;
  const { index, pixels } = group;
  const factor = 1 / Math.sqrt(channels / heads);
  const label = labelOf(grouping, index, windowsIn(grouping, q));
  const element = keyElement(spec);
  const queries = headRows(q, { ...spec, merge: 1 }, query, pixels, head);
  const keys = headRows(k, spec, key, pixels, head);
  const labels = keys.map((_, j) => label(element(j, 0).position));
  return queries.map((a, i) => {
    const own = label(i);
    return softmax(
      keys.map((b, j) => {
        let sum = 0;
        for (let d = 0; d < a.length; d++) sum += a[d] * b[d];
        const row = tableRow(i, j, grouping, merge);
        const position = table ? table[row * heads + head] : 0;
        return sum * factor + position - (own === labels[j] ? 0 : 100);
      }),
    );
  });
}

export function* groupScoresSteps<T extends Reals>(
  q: PlanarMap<T>,
  k: PlanarMap<Reals>,
  table: Float32Array | null,
  spec: ScoreSpec,
): Steps<Scores<T>> {
  const { grouping, heads, merge } = spec;
  const groups = groupsOf(grouping, q.width, q.height);
  const { tokens } = windowOf(grouping);
  const keys = tokens / merge ** 2;
  const data = realsLike(q.data, groups.length * heads * tokens * keys);
  for (const [index, pixels] of groups.entries()) {
    yield* each(heads, (head) => {
      const rows = scoresOf([q, k], table, spec, { index, pixels }, head);
      rows.forEach((row, i) => {
        data.set(row, ((index * heads + head) * tokens + i) * keys);
      });
    });
  }
  return { dims: [groups.length, heads, tokens, keys], data };
}
export const groupScoresReference = atOnce(groupScoresSteps);

/** The parameters of the op `groupMix`. */
export interface MixSpec extends Omit<ScoreSpec, 'query' | 'key'> {
  readonly first: number;
}

/**
 * Computes `groupMix` for one head of a group: the sums of the head's values, weighted by `scores`.
 * Writes them to `y`.
 */
function mixGroup(
  y: PlanarMap<Reals>,
  x: PlanarMap<Reals>,
  spec: MixSpec,
  pixels: readonly number[],
  head: number,
  scores: readonly ArrayLike<number>[],
): void {
  const depth = spec.channels / spec.heads;
  const plane = x.width * x.height;
  const values = headRows(x, spec, spec.first, pixels, head);
  pixels.forEach((to, i) => {
    if (to === ABSENT) return;
    for (let d = 0; d < depth; d++) {
      let sum = 0;
      for (let j = 0; j < values.length; j++) sum += scores[i][j] * values[j][d];
      y.data[(head * depth + d) * plane + to] = sum;
    }
  });
}

export function* groupMixSteps<T extends Reals>(
  x: PlanarMap<T>,
  scores: Scores<Reals>,
  spec: MixSpec,
): Steps<PlanarMap<T>> {
  const y = mapLike(x, spec.channels, x.height, x.width);
  const [, heads, tokens, keys] = scores.dims;
  for (const [group, pixels] of groupsOf(spec.grouping, x.width, x.height).entries()) {
    yield* each(heads, (head) => {
      const rows = Array.from({ length: tokens }, (_, i) => {
        const first = ((group * heads + head) * tokens + i) * keys;
        return scores.data.subarray(first, first + keys);
      });
      mixGroup(y, x, spec, pixels, head, rows);
    });
  }
  return y;
}
export const groupMixReference = atOnce(groupMixSteps);

/**
 * Computes `groupScores` and `groupMix` together. Only the scores of one head of one group are in
 * memory at a time.
 */
export function* groupAttentionSteps<T extends Reals>(
  q: PlanarMap<T>,
  kv: PlanarMap<T>,
  table: Float32Array | null,
  spec: ScoreSpec,
  first: number,
): Steps<PlanarMap<T>> {
  const y = mapLike(q, spec.channels, q.height, q.width);
  for (const [index, pixels] of groupsOf(spec.grouping, q.width, q.height).entries()) {
    yield* each(spec.heads, (head) => {
      const rows = scoresOf([q, kv], table, spec, { index, pixels }, head);
      mixGroup(y, kv, { ...spec, first }, pixels, head, rows);
    });
  }
  return y;
}
export const groupAttentionReference = atOnce(groupAttentionSteps);

export function* channelAttentionSteps<T extends Reals>(
  x: PlanarMap<T>,
  temperature: Float32Array,
  grouping: Grouping,
): Steps<PlanarMap<T>> {
  const channels = x.channels / 3;
  const heads = temperature.length;
  const depth = channels / heads;
  const plane = x.width * x.height;
  const y = mapLike(x, channels, x.height, x.width);
  for (const pixels of groupsOf(grouping, x.width, x.height)) {
    /** Returns channel `c` of the queries (part 0), keys (part 1) or values (part 2). */
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
      yield* each(depth, (d) => {
        const c = own[d];
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
      });
    }
  }
  return y;
}
export const channelAttentionReference = atOnce(channelAttentionSteps);

/** A convolution with a stride and without padding. The weights are in oihw order. */
export function* stridedConvSteps<T extends Reals>(
  x: PlanarMap<T>,
  weights: Float32Array,
  bias: Float32Array | null,
  { kernel, stride, cOut }: Record<'kernel' | 'stride' | 'cOut', number>,
): Steps<PlanarMap<T>> {
  const small = (side: number) => Math.floor((side - kernel) / stride) + 1;
  const y = mapLike(x, cOut, small(x.height), small(x.width));
  for (let o = 0; o < cOut; o++) {
    yield* each(y.height, (row) => {
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
    });
  }
  return y;
}
export const stridedConvReference = atOnce(stridedConvSteps);

export function* maxPoolSteps<T extends Reals>(
  x: PlanarMap<T>,
  kernel: number,
  stride: number,
): Steps<PlanarMap<T>> {
  const small = (side: number) => Math.floor((side - kernel) / stride) + 1;
  const y = mapLike(x, x.channels, small(x.height), small(x.width));
  for (let c = 0; c < y.channels; c++) {
    yield* each(y.height, (row) => {
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
    });
  }
  return y;
}
export const maxPoolReference = atOnce(maxPoolSteps);

/** Enlarges a map bilinearly to the given size, with half-pixel centres and clamped edges. */
export const resizeSteps = <T extends Reals>(
  x: PlanarMap<T>,
  { width, height }: { readonly width: number; readonly height: number },
): Steps<PlanarMap<T>> => bilinearSteps(x, { x: width / x.width, y: height / x.height });
export const resizeReference = atOnce(resizeSteps);
