import { addShifted, mapLike, type PlanarMap, type Reals } from '../planar.ts';
import { atOnce, each, type Steps } from '../steps.ts';

/**
 * A zero-padded convolution from the first `count` channels to the same channels. The other
 * channels are copied. Sums are f64.
 */
export function* partialConvSteps<T extends Reals>(
  x: PlanarMap<T>,
  weights: Float32Array,
  bias: Float32Array | null,
  { kernel, count }: { readonly kernel: number; readonly count: number },
): Steps<PlanarMap<T>> {
  const { height, width } = x;
  const radius = kernel >> 1;
  const plane = height * width;
  const y = mapLike(x, x.channels, height, width);
  y.data.set(x.data);
  const sums = new Float64Array(width);
  for (let o = 0; o < count; o++) {
    yield* each(height, (row) => {
      sums.fill(bias ? bias[o] : 0);
      for (let c = 0; c < count; c++) {
        for (let ky = 0; ky < kernel; ky++) {
          const from = row + ky - radius;
          if (from < 0 || from >= height) continue;
          const line = x.data.subarray(c * plane + from * width, c * plane + (from + 1) * width);
          const at = ((o * count + c) * kernel + ky) * kernel;
          for (let kx = 0; kx < kernel; kx++) addShifted(sums, weights[at + kx], line, kx - radius);
        }
      }
      y.data.set(sums, o * plane + row * width);
    });
  }
  return y;
}
export const partialConvReference = atOnce(partialConvSteps);

/** For each element, returns the mean over its group. A group consists of consecutive elements. */
export function groupMeansReference(v: Reals, groups: number): Float64Array {
  const depth = v.length / groups;
  return Float64Array.from(v, (_, c) => {
    const first = c - (c % depth);
    let sum = 0;
    for (let i = first; i < first + depth; i++) sum += v[i];
    return sum / depth;
  });
}

function byChannel<T extends Reals>(
  x: PlanarMap<T>,
  f: (v: number, c: number) => number,
): PlanarMap<T> {
  const plane = x.height * x.width;
  return { ...x, data: x.data.map((v, i) => f(v, Math.floor(i / plane))) as T };
}

export function centreReference<T extends Reals>(
  x: PlanarMap<T>,
  means: Reals,
  groups: number,
): PlanarMap<T> {
  const mean = groupMeansReference(means, groups);
  return byChannel(x, (v, c) => v - mean[c]);
}

export function groupNormReference<T extends Reals>(
  x: PlanarMap<T>,
  squares: Reals,
  weight: Float32Array,
  bias: Float32Array,
  { groups, epsilon }: { readonly groups: number; readonly epsilon: number },
): PlanarMap<T> {
  const variance = groupMeansReference(squares, groups);
  return byChannel(x, (v, c) => (v / Math.sqrt(variance[c] + epsilon)) * weight[c] + bias[c]);
}

export function repeatChannelsReference<T extends Reals>(
  x: PlanarMap<T>,
  times: number,
): PlanarMap<T> {
  const plane = x.height * x.width;
  const y = mapLike(x, x.channels * times, x.height, x.width);
  for (let c = 0; c < y.channels; c++) {
    const from = Math.floor(c / times) * plane;
    y.data.set(x.data.subarray(from, from + plane), c * plane);
  }
  return y;
}

/** See `dySample` in graph/plksrOp.ts. */
export function* dySampleSteps<T extends Reals>(
  z: PlanarMap<T>,
  o: PlanarMap<T>,
  {
    scale: s,
    groups,
    sum,
  }: { readonly scale: number; readonly groups: number; readonly sum: number | null },
): Steps<PlanarMap<T>> {
  const { width, height } = z;
  const plane = width * height;
  const depth = z.channels / groups;
  const y = mapLike(z, sum ?? z.channels, height * s, width * s);
  const start = (k: number) => (k - (s - 1) / 2) / s;
  const clamped = (v: number, side: number) => Math.min(Math.max(v, 0), side - 1);
  yield* each(y.height, (row) => {
    for (let col = 0; col < y.width; col++) {
      const [Y, X, i, j] = [Math.floor(row / s), Math.floor(col / s), row % s, col % s];
      for (let q = 0; q < groups; q++) {
        const offset = (axis: number) =>
          0.5 * o.data[((axis * groups + q) * s * s + i * s + j) * plane + Y * width + X];
        const px = clamped(X + offset(0) + start(j), width);
        const py = clamped(Y + offset(1) + start(i), height);
        const [x0, y0] = [Math.floor(px), Math.floor(py)];
        const [x1, y1] = [Math.min(x0 + 1, width - 1), Math.min(y0 + 1, height - 1)];
        const [fx, fy] = [px - x0, py - y0];
        const sampled = (c: number) => {
          const at = (r: number, t: number) => z.data[c * plane + r * width + t];
          const upper = at(y0, x0) * (1 - fx) + at(y0, x1) * fx;
          return upper * (1 - fy) + (at(y1, x0) * (1 - fx) + at(y1, x1) * fx) * fy;
        };
        for (let c = 0; c < (sum ?? depth); c++) {
          const channel = sum === null ? q * depth + c : c;
          y.data[(channel * y.height + row) * y.width + col] += sampled(q * depth + c);
        }
      }
    }
  });
  return y;
}
export const dySampleReference = atOnce(dySampleSteps);
