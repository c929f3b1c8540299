/**
 * The kernel for resizing. `bicubic` is Keys' cubic with `a = -0.5`. `lanczos3` is a sinc that is
 * windowed by the central lobe of a wider sinc.
 */
export type ResampleKernel = 'bicubic' | 'lanczos3';

/**
 * A kernel as a function of the distance from its centre. The distance is measured in source pixels
 * when enlarging and in output pixels when reducing. The value is zero at distances of `radius` or
 * more.
 */
interface KernelFunction {
  readonly radius: number;
  readonly at: (distance: number) => number;
}

const KERNELS: Readonly<Record<ResampleKernel, KernelFunction>> = {
  bicubic: {
    radius: 2,
    at: (distance) => {
      const x = Math.abs(distance);
      if (x >= 2) return 0;
      if (x >= 1) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
      return (1.5 * x - 2.5) * x * x + 1;
    },
  },
  lanczos3: {
    radius: 3,
    at: (x) => (Math.abs(x) >= 3 ? 0 : sinc(x) * sinc(x / 3)),
  },
};

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/**
 * The taps of all output positions. A tap is a source position with its weight. There are `length`
 * output positions with `count` taps each.
 */
export interface Taps {
  readonly length: number;
  readonly count: number;
  readonly positions: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Computes the taps for one dimension, like MATLAB's imresize. Pixel centres are at half-integer
 * positions, and a reduction widens the kernel by the reduction factor (antialiasing). Beyond its
 * edges, the image continues as its mirror image, which starts with a copy of the pixel at the
 * edge. The weights of each output position add up to 1.
 */
export function axisTaps(lengthIn: number, lengthOut: number, name: ResampleKernel): Taps {
  const kernel = KERNELS[name];
  const scale = lengthOut / lengthIn;
  /**
   * Distances in source pixels are multiplied by this factor before they are passed to the kernel.
   * A factor below 1 widens the kernel.
   */
  const squeeze = Math.min(scale, 1);
  const radius = kernel.radius / squeeze;
  const count = Math.ceil(2 * radius) + 1;
  const positions = new Int32Array(lengthOut * count);
  const weights = new Float64Array(lengthOut * count);
  for (let i = 0; i < lengthOut; i++) {
    const centre = (i + 0.5) / scale - 0.5;
    const first = Math.ceil(centre - radius);
    let sum = 0;
    for (let t = 0; t < count; t++) {
      const weight = kernel.at((centre - (first + t)) * squeeze);
      positions[i * count + t] = mirror(first + t, lengthIn);
      weights[i * count + t] = weight;
      sum += weight;
    }
    for (let t = 0; t < count; t++) weights[i * count + t] /= sum;
  }
  return { length: lengthOut, count, positions, weights };
}

/**
 * Mirrors a position at any distance from the image: `... 1 0 | 0 1 2 ... length-1 | length-1 ...`.
 */
function mirror(position: number, length: number): number {
  const period = 2 * length;
  const p = ((position % period) + period) % period;
  return p < length ? p : period - 1 - p;
}

/**
 * Taps in which each output position reads a run of `count` consecutive source positions. Output
 * `i` is the sum over `t` of `weights[i * count + t]` times source `first[i] + t`. If a tap is
 * outside the image, its weight is added to the weight of the mirrored position, which is always in
 * the same run. No run extends beyond the image, and `first[i]` never decreases as `i` grows.
 * Therefore, rows can be resized as they arrive and can then be discarded.
 */
export interface TapRuns {
  readonly length: number;
  readonly count: number;
  readonly first: Int32Array;
  readonly weights: Float32Array<ArrayBuffer>;
}

export function tapRuns(lengthIn: number, lengthOut: number, name: ResampleKernel): TapRuns {
  const taps = axisTaps(lengthIn, lengthOut, name);
  const first = new Int32Array(lengthOut);
  let count = 0;
  let least = lengthIn;
  const used = (i: number) =>
    taps.positions
      .subarray(i * taps.count, (i + 1) * taps.count)
      .filter((_, t) => taps.weights[i * taps.count + t] !== 0);
  for (let i = lengthOut - 1; i >= 0; i--) {
    const positions = used(i);
    least = positions.reduce((a, b) => Math.min(a, b), least);
    first[i] = least;
    count = positions.reduce((a, b) => Math.max(a, b - least + 1), count);
  }
  const weights = new Float32Array(lengthOut * count);
  const sums = new Float64Array(count);
  for (let i = 0; i < lengthOut; i++) {
    first[i] = Math.min(first[i], lengthIn - count);
    sums.fill(0);
    for (let t = i * taps.count; t < (i + 1) * taps.count; t++) {
      if (taps.weights[t] !== 0) sums[taps.positions[t] - first[i]] += taps.weights[t];
    }
    weights.set(sums, i * count);
  }
  return { length: lengthOut, count, first, weights };
}
