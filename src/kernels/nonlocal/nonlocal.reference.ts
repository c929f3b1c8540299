/**
 * Reference implementations of the ops that `graph/nonlocalOp.ts` defines, written as plain loops.
 * Values are f32 or f64 (see `Reals`).
 */
import { pixelsOf } from '../../geometry.ts';
import { bucketsOf, type Gate, type OffsetLayout, paddedRow } from '../../graph/nonlocalOp.ts';
import { mapLike, type PlanarMap, type Reals, realsLike } from '../planar.ts';
import { atOnce, each, type Steps } from '../steps.ts';

type Integers = Uint32Array<ArrayBuffer>;

/**
 * Cluster codes, attention weights and other numbers that are not arranged as a feature map. They
 * are in row-major order.
 */
export interface Table<T extends Reals = Float32Array<ArrayBuffer>> {
  readonly dims: readonly number[];
  readonly data: T | Integers;
  /**
   * Only for attention weights: the log-sum-exp of each query's scores, [R, n * w].
   * `graph/nonlocalOp.ts` explains this notation.
   */
  readonly lse?: T;
}

type IntegerTable = Table<never>;

/** Returns the channels of the pixel at index `at`. */
const rowOf = ({ channels, data, ...map }: PlanarMap<Reals>, at: number): Float64Array => {
  const plane = map.height * map.width;
  return Float64Array.from({ length: channels }, (_, c) => data[c * plane + at]);
};

const norm = (row: Float64Array): number => Math.sqrt(dot(row, row));

function dot(a: Float64Array, b: Reals, at = 0): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[at + i];
  return sum;
}

/**
 * Adds a row, multiplied by `weight`, to `sum`. The row starts at `rows[at]`. JavaScript engines
 * optimise this function better than an inline loop.
 */
function addScaled(sum: Float64Array, weight: number, rows: Float64Array, at: number): void {
  for (let c = 0; c < sum.length; c++) sum[c] += weight * rows[at + c];
}

/** Returns the logarithm of the sum of the values' exponentials, or NaN if a value is NaN. */
function logSumExp(values: Float64Array): number {
  let top = -Infinity;
  for (const v of values) top = Math.max(top, v);
  let sum = 0;
  for (const v of values) sum += Math.exp(v - top);
  return top + Math.log(sum);
}

/**
 * Copies a map to an array in the order [pixels, channels]. Loops over channels are ten times
 * faster in this order.
 */
function pixelMajor(x: PlanarMap<Reals>): Float64Array {
  const { channels, data } = x;
  const length = pixelsOf(x);
  const rows = new Float64Array(length * channels);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < length; i++) rows[i * channels + c] = data[c * length + i];
  }
  return rows;
}

export function* similaritySteps<T extends Reals>(
  x: PlanarMap<T>,
  means: Reals,
  { rounds, clusters, normalised }: { rounds: number; clusters: number; normalised: boolean },
): Steps<Table<T>> {
  const length = pixelsOf(x);
  const data = realsLike(x.data, rounds * length * clusters);
  yield* each(length, (i) => {
    const row = rowOf(x, i);
    const factor = normalised ? 1 / Math.max(norm(row), 1e-12) : 1;
    for (let r = 0; r < rounds; r++) {
      for (let k = 0; k < clusters; k++) {
        const at = (r * clusters + k) * x.channels;
        data[(r * length + i) * clusters + k] = dot(row, means, at) * factor;
      }
    }
  });
  return { dims: [rounds, length, clusters], data };
}
export const similarityReference = atOnce(similaritySteps);

/**
 * @param chunk if given, only the first `bucketsOf(length, chunk, clusters)` clusters are compared
 */
export function argmaxReference({ dims, data }: Table<Reals>, chunk?: number): IntegerTable {
  const [rounds, length, clusters] = dims;
  const active = chunk === undefined ? clusters : bucketsOf(length, chunk, clusters);
  const codes = new Uint32Array(rounds * length);
  for (let i = 0; i < codes.length; i++) {
    const round = Math.floor(i / length);
    let best = 0;
    for (let k = 1; k < active; k++) {
      if (data[i * clusters + k] > data[i * clusters + best]) best = k;
    }
    codes[i] = best + round * clusters;
  }
  return { dims: [codes.length], data: codes };
}

/** Equal values keep their order, because JavaScript's sort is stable. */
export function rankReference({ dims, data }: Table<Reals>): IntegerTable {
  const sorted = Array.from(data, (_, i) => i).sort((a, b) => data[a] - data[b]);
  return inverseReference({ dims, data: Uint32Array.from(sorted) });
}

export function inverseReference({ dims, data }: Table<Reals>): IntegerTable {
  const inverse = new Uint32Array(data.length);
  data.forEach((to, i) => {
    inverse[to] = i;
  });
  return { dims, data: inverse };
}

export function startMeansReference<T extends Reals>(
  x: PlanarMap<T>,
  rounds: number,
  clusters: number,
): Table<T> {
  const data = realsLike(x.data, rounds * clusters * x.channels);
  for (let i = 0; i < rounds * clusters; i++) {
    const at = Math.floor(((i % clusters) * pixelsOf(x)) / clusters);
    data.set(rowOf(x, at), i * x.channels);
  }
  return { dims: [rounds, clusters, x.channels], data };
}

export function* clusterMeansSteps<T extends Reals>(
  x: PlanarMap<T>,
  codes: Table<Reals>,
  means: Table<T>,
): Steps<Table<T>> {
  const data = means.data.slice() as T;
  const length = pixelsOf(x);
  const sums = new Map<number, Float64Array>();
  yield* each(codes.data.length, (i) => {
    const code = codes.data[i];
    const sum = sums.get(code) ?? new Float64Array(x.channels);
    rowOf(x, i % length).forEach((v, c) => {
      sum[c] += v;
    });
    sums.set(code, sum);
  });
  for (const [code, sum] of sums) {
    const size = Math.max(norm(sum), 1e-12);
    data.set(
      sum.map((v) => v / size),
      code * x.channels,
    );
  }
  return { dims: means.dims, data };
}
export const clusterMeansReference = atOnce(clusterMeansSteps);

export function* attentionSteps<T extends Reals>(
  x: PlanarMap<T>,
  order: Table<Reals>,
  { rounds, window, spans }: { rounds: number; window: number; spans: 1 | 3 },
  bias: PlanarMap<Reals> | null = null,
): Steps<Table<T> & { lse: T }> {
  const length = pixelsOf(x);
  const windows = Math.ceil(length / window);
  const keys = spans * window;
  const data = realsLike(x.data, rounds * windows * window * keys);
  const lse = realsLike(x.data, rounds * windows * window);
  const scores = new Float64Array(keys);
  for (let r = 0; r < rounds; r++) {
    const pixels = Array.from(
      { length: windows * window },
      (_, j) => order.data[r * length + paddedRow(j, length, window)] - r * length,
    );
    const rows: Float64Array[] = [];
    yield* each(pixels.length, (j) => {
      rows.push(rowOf(x, pixels[j]));
    });
    const unit = new Float64Array(rows.length * x.channels);
    rows.forEach((row, j) => {
      const size = Math.max(norm(row), 5e-5);
      unit.set(
        row.map((v) => v / size),
        j * x.channels,
      );
    });
    yield* each(rows.length, (j) => {
      const row = rows[j];
      const first = Math.floor(j / window);
      for (let k = 0; k < keys; k++) {
        const key = keyRow(first, k, window, windows);
        const score = dot(row, unit, key * x.channels);
        scores[k] = bias ? score + bias.data[(j % window) * length + pixels[key]] : score;
      }
      const total = logSumExp(scores);
      const at = r * windows * window + j;
      lse[at] = total;
      for (let k = 0; k < keys; k++) data[at * keys + k] = Math.exp(scores[k] - total);
    });
  }
  return { dims: [rounds, windows, window, keys], data, lse };
}
export const attentionReference = atOnce(attentionSteps);

/**
 * Returns the index of the row that is key `k` of window `at`. The keys are the rows of the window
 * itself, then those of the window before it, and then those of the window after it.
 */
export function keyRow(at: number, k: number, window: number, windows: number): number {
  const span = Math.floor(k / window);
  const other = span === 0 ? at : span === 1 ? (at + windows - 1) % windows : (at + 1) % windows;
  return other * window + (k % window);
}

export function* attendSteps<T extends Reals>(
  x: PlanarMap<T>,
  order: Table<Reals>,
  rank: Table<Reals>,
  attention: Table<Reals>,
  lse: Table<Reals>,
): Steps<PlanarMap<T>> {
  const length = pixelsOf(x);
  const [rounds, windows, window, keys] = attention.dims;
  const padded = windows * window;
  const { channels } = x;
  const values = pixelMajor(x);
  const y = mapLike(x, channels, x.height, x.width);
  yield* each(length, (i) => {
    const rows = Array.from({ length: rounds }, (_, r) => rank.data[r * length + i] - r * length);
    const logs = rows.map((j, r) => lse.data[r * padded + j]);
    const top = Math.max(...logs);
    const total = logs.reduce((sum, v) => sum + Math.exp(v - top), 0);
    const sum = new Float64Array(channels);
    rows.forEach((j, r) => {
      const share = Math.exp(logs[r] - top) / total;
      const first = Math.floor(j / window);
      for (let k = 0; k < keys; k++) {
        const weight = share * attention.data[(r * padded + j) * keys + k];
        const from = paddedRow(keyRow(first, k, window, windows), length, window);
        const at = (order.data[r * length + from] - r * length) * channels;
        addScaled(sum, weight, values, at);
      }
    });
    for (let c = 0; c < channels; c++) y.data[c * length + i] = sum[c];
  });
  return y;
}
export const attendReference = atOnce(attendSteps);

/** Computes a softmax over channels. `Gate` describes how `mask` changes the softmax. */
export function* keySoftmaxSteps<T extends Reals>(
  logits: PlanarMap<T>,
  mask: PlanarMap<Reals> | null,
  gate: Gate | null,
): Steps<PlanarMap<T>> {
  const { channels, height, width } = logits;
  const plane = height * width;
  const y = mapLike(logits, channels, height, width);
  yield* each(plane, (i) => {
    const a = rowOf(logits, i);
    const b = mask ? rowOf(mask, i) : a;
    let open = Array.from(a, () => true);
    let values = Array.from(a);
    if (gate === 'zero' || gate === 'exclude') {
      // If a mask value is NaN, the result is NaN.
      values = values.map((v, c) =>
        Number.isNaN(b[c]) ? b[c] : b[c] <= 0 && gate === 'zero' ? 0 : v,
      );
    }
    if (gate === 'exclude') open = Array.from(b, (v) => !(v <= 0));
    if (gate === 'soft') {
      const soft = softmax(Array.from(b));
      values = values.map((v, c) => v * soft[c]);
    }
    if (gate === 'columns' && mask) {
      const [row, col] = [Math.floor(i / width), i % width];
      values = values.map((v, c) => {
        const at = c * plane + row * width;
        return v * softmax(Array.from(mask.data.subarray(at, at + width)))[col];
      });
    }
    const left = softmax(values.filter((_, c) => open[c]));
    open.forEach((is, c) => {
      y.data[c * plane + i] = is ? (left.shift() as number) : 0;
    });
  });
  return y;
}
export const keySoftmaxReference = atOnce(keySoftmaxSteps);

export function softmax(values: readonly number[]): number[] {
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const raised = values.map((v) => Math.exp(v - top));
  const total = raised.reduce((a, b) => a + b, 0);
  return raised.map((v) => v / total);
}

export function* sampleKeysSteps<T extends Reals>(
  weights: PlanarMap<Reals>,
  offsets: PlanarMap<Reals>,
  x: PlanarMap<T>,
  before: PlanarMap<Reals> | null,
  spec: { first: number; keys: number; offsets: OffsetLayout },
): Steps<PlanarMap<T>> {
  const { channels, height, width } = x;
  const plane = height * width;
  const y = mapLike(x, channels, height, width);
  const values = pixelMajor(x);
  const sum = new Float64Array(channels);
  yield* each(plane, (i) => {
    const [row, col] = [Math.floor(i / width), i % width];
    for (let c = 0; c < channels; c++) sum[c] = before ? before.data[c * plane + i] : 0;
    for (let t = spec.first; t < spec.first + spec.keys; t++) {
      const weight = weights.data[t * plane + i];
      if (weight === 0) continue;
      const channel = spec.offsets === 'paired' ? 2 * t : t;
      const v = row + offsets.data[channel * plane + i];
      const u = col + offsets.data[(channel + 1) * plane + i];
      const [top, left] = [Math.floor(v), Math.floor(u)];
      for (const [r, q, share] of [
        [top, left, (1 - (v - top)) * (1 - (u - left))],
        [top, left + 1, (1 - (v - top)) * (u - left)],
        [top + 1, left, (v - top) * (1 - (u - left))],
        [top + 1, left + 1, (v - top) * (u - left)],
      ]) {
        if (r < 0 || r >= height || q < 0 || q >= width) continue;
        addScaled(sum, weight * share, values, (r * width + q) * channels);
      }
    }
    for (let c = 0; c < channels; c++) y.data[c * plane + i] = sum[c];
  });
  return y;
}
export const sampleKeysReference = atOnce(sampleKeysSteps);
