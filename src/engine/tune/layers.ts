import { CrispenError, internal } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { convReference } from '../../kernels/conv/conv.reference.ts';
import {
  type ConvSpec,
  type ConvVariant,
  convParams,
  packBias,
  packConvWeights,
} from '../../kernels/conv/conv.ts';
import { blocksOf, ELEMENT_BYTES, type ElementType } from '../../kernels/kernel.ts';
import { nearestReference } from '../../kernels/maps/enlarge.reference.ts';
import { fromBlocked, type PlanarMap, planarMap, toBlocked } from '../../kernels/planar.ts';
import { bindKernel, uniformUsage } from '../gpu/bound.ts';
import { withBuffers } from '../gpu/buffers.ts';
import { type Device, USAGE } from '../gpu/device.ts';
import { decodeElements, encodeElements } from '../gpu/element.ts';
import { PARAM_BYTES } from '../gpu/pipelines.ts';
import { Reading } from '../gpu/reading.ts';

/** The allowed difference from the expected result, relative to the largest expected value. */
const TOLERANCE: Readonly<Record<ElementType, number>> = { f32: 1e-4, f16: 1e-3 };

const plain = { act0: null, multiply: false, add: false, factor: 1, act1: null } as const;
/** Typical convolutions of A2N: two from its trunk and one from its upsampler. */
export const LAYERS: readonly ConvSpec[] = [
  { ...plain, kernel: 3, cIn: 40, cOut: 40, upsample: 1 },
  { ...plain, kernel: 1, cIn: 40, cOut: 40, upsample: 1 },
  { ...plain, kernel: 3, cIn: 40, cOut: 24, upsample: 2 },
];

/**
 * The measurement of a kernel variant at one size. The variant's result is compared with the
 * expected result before the variant is timed.
 */
export interface Measurement {
  readonly kernel: string;
  readonly variant: string;
  /** The element type of maps and weights. */
  readonly element: ElementType;
  readonly width: number;
  readonly height: number;
  /**
   * The median time of the repeats, or null if the result was wrong or the device rejected the
   * variant.
   */
  readonly milliseconds: number | null;
  readonly compileMs: number;
  /** The largest difference from the expected result, relative to the largest expected value. */
  readonly difference: number | null;
  readonly error: string | null;
}

/** A convolution with its input, weights, bias and expected output. */
export interface Layer {
  readonly spec: ConvSpec;
  readonly element: ElementType;
  /** The width and height of the output. */
  readonly width: number;
  readonly height: number;
  readonly x: PlanarMap;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  /**
   * Bands of rows of the expected output. `first` is the index of a band's first row in the output.
   * If the list is null, results are not checked.
   */
  readonly expected: readonly { readonly first: number; readonly rows: PlanarMap }[] | null;
}

/** If the input has more rows than this, only some rows of the result are checked. */
const MANY_ROWS = 64;
/**
 * The number of input rows in a band. If the input has more than `MANY_ROWS` rows, only the results
 * for three bands are checked: at the top, in the middle and at the bottom.
 */
const BAND = 4;

/**
 * Creates a layer filled with noise.
 * @param isChecked whether to compute the expected result on the CPU (`convReference`). For a map
 *   with many rows, only the first, middle and last rows are computed. Computing all of them would
 *   take minutes.
 */
export function makeLayer(
  spec: ConvSpec,
  { width, height }: Size,
  element: ElementType,
  isChecked = true,
): Layer {
  const { cIn, cOut, kernel, upsample } = spec;
  const stored = (length: number, seed: number) => rounded(noise(length, seed), element);
  const x = planarMap(cIn, height, width);
  x.data.set(stored(x.data.length, 1));
  const weights = stored(cOut * cIn * kernel ** 2, 2);
  const bias = stored(cOut, 3);
  const middle = (height - BAND) >> 1;
  const bands = height > MANY_ROWS ? [0, middle, height - BAND] : [0];
  const reference = () =>
    bands.map((from) => {
      const to = bands.length > 1 ? from + BAND : height;
      const above = Math.max(0, from - 1);
      const source = nearestReference(rowsOf(x, above, Math.min(height, to + 1)), upsample);
      const rows = convReference(source, weights, bias, cOut, kernel);
      const start = (from - above) * upsample;
      return {
        first: from * upsample,
        rows: rowsOf(rows, start, start + (to - from) * upsample),
      };
    });
  return {
    spec,
    element,
    width: width * upsample,
    height: height * upsample,
    x,
    weights,
    bias,
    expected: isChecked ? reference() : null,
  };
}

function rowsOf({ channels, height, width, data }: PlanarMap, from: number, to: number): PlanarMap {
  const rows = planarMap(channels, to - from, width);
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * height;
    const own = data.subarray((start + from) * width, (start + to) * width);
    rows.data.set(own, channel * (to - from) * width);
  }
  return rows;
}

/** A kernel variant that is bound to a layer's buffers. */
export interface BoundLayer {
  readonly compileMs: number;
  /**
   * Returns whether the result is correct, and its largest difference from the expected result,
   * relative to the largest expected value.
   */
  check(): Promise<{ readonly difference: number; readonly isRight: boolean }>;
  /**
   * Runs the variant and returns the time in milliseconds that the GPU needs for all runs together.
   * @param times the number of consecutive runs
   */
  time(times?: number): Promise<number>;
}

/**
 * Binds a variant to a layer's buffers and passes it to the function `use`. The buffers are freed
 * afterwards.
 */
export function withLayer<T>(
  device: Device,
  variant: ConvVariant,
  layer: Layer,
  use: (bound: BoundLayer) => Promise<T>,
): Promise<T> {
  const { spec, element, width, height, x, expected } = layer;
  const { cIn, cOut, kernel } = spec;
  const started = performance.now();
  return withBuffers(device, async (buffers) => {
    const kernelOf = variant.kernel(spec, element);
    const pipeline = await device.compile(kernelOf);
    const compileMs = performance.now() - started;
    const { STORAGE, UNIFORM, COPY_DST, COPY_SRC } = USAGE;
    const packed = packConvWeights(layer.weights, cOut, cIn, kernel);
    const outBytes = blocksOf(cOut) * width * height * 4 * ELEMENT_BYTES[element];
    const made = await buffers.allocate('tuning', (make) => {
      const stored = (content: Float32Array<ArrayBuffer>) => {
        const encoded = encodeElements(content, element);
        const buffer = make('tuning', encoded.byteLength, STORAGE | UNIFORM | COPY_DST);
        device.gpu.queue.writeBuffer(buffer, 0, encoded);
        return buffer;
      };
      return {
        uniform: make('tuning', PARAM_BYTES, uniformUsage),
        x: stored(toBlocked(x)),
        weights: stored(variant.packing?.arrange(packed, spec) ?? packed),
        bias: stored(packBias(layer.bias, cOut)),
        y: make('tuning', outBytes, STORAGE | COPY_SRC),
      };
    });
    const bound = await device.scoped('tuning', () => {
      const { x, weights, bias, y } = made;
      const operands = { x, weights, bias, multiplier: x, addend: x, y, partials: y };
      const kernel = bindKernel(device, kernelOf, pipeline, made.uniform, operands);
      kernel.set(convParams(spec, width, height));
      return kernel;
    });
    const encode = (pass: GPUComputePassEncoder, times: number) => {
      const grid = variant.grid(spec, width, height);
      for (let i = 0; i < times; i++) bound.dispatch(pass, grid);
      pass.end();
    };
    return use({
      compileMs,
      async check() {
        if (!expected) throw internal('this layer has no expected result');
        const reading = await Reading.create(buffers, outBytes);
        const encodeOnce = (encoder: GPUCommandEncoder, staging: GPUBuffer) => {
          encode(encoder.beginComputePass(), 1);
          encoder.copyBufferToBuffer(made.y, 0, staging, 0, outBytes);
        };
        const content = await reading.run('tuning', outBytes, encodeOnce, (bytes) =>
          decodeElements(bytes.slice(0, outBytes), element),
        );
        const actual = fromBlocked(content, cOut, height, width);
        const differences = expected.map(({ first, rows }) =>
          relativeDifference(rowsOf(actual, first, first + rows.height).data, rows.data),
        );
        const difference = Math.max(...differences);
        return { difference, isRight: difference <= TOLERANCE[element] };
      },
      time: (times = 1) => timePass(device, (pass) => encode(pass, times)),
    });
  });
}

/** Checks and times a variant. If the variant fails, the measurement records the error. */
export async function measureConv(
  device: Device,
  variant: ConvVariant,
  name: string,
  layer: Layer,
  repeats: number,
): Promise<Measurement> {
  const { spec, element, width, height } = layer;
  const { cIn, cOut, kernel, upsample } = spec;
  const label = `conv${kernel}x${kernel} ${cIn}->${cOut}${upsample > 1 ? ` x${upsample}` : ''}`;
  const head = { kernel: label, variant: name, element, width, height };
  const started = performance.now();
  try {
    return await withLayer(device, variant, layer, async ({ compileMs, check, time }) => {
      const { difference, isRight } = await check();
      if (!isRight) {
        return { ...head, compileMs, milliseconds: null, difference, error: 'wrong result' };
      }
      const times: number[] = [];
      for (let i = 0; i < repeats; i++) times.push(await time());
      return { ...head, compileMs, milliseconds: median(times), difference, error: null };
    });
  } catch (thrown) {
    device.throwIfLost();
    const { message } = CrispenError.from(thrown);
    const compileMs = performance.now() - started;
    return { ...head, compileMs, milliseconds: null, difference: null, error: message };
  }
}

/**
 * Returns the time that a pass takes, in milliseconds. This function uses timestamp queries if the
 * GPU supports them. Otherwise, it measures the time from submission to completion.
 * @param encode encodes the pass and ends it
 */
export function timePass(
  device: Device,
  encode: (pass: GPUComputePassEncoder) => void,
): Promise<number> {
  const { gpu } = device;
  return withBuffers(device, async (buffers) => {
    const reading = await Reading.create(buffers, STAMP_BYTES);
    if (!gpu.features.has('timestamp-query')) {
      const encodePlain = (encoder: GPUCommandEncoder) => encode(encoder.beginComputePass());
      const started = performance.now();
      await reading.run('tuning', 0, encodePlain, () => {});
      return performance.now() - started;
    }
    const { querySet, resolved } = await buffers.allocate('tuning', (make) => ({
      querySet: gpu.createQuerySet({ type: 'timestamp', count: 2 }),
      resolved: make('stamps', STAMP_BYTES, QUERY_RESOLVE | USAGE.COPY_SRC),
    }));
    const encodeTimed = (encoder: GPUCommandEncoder, staging: GPUBuffer) => {
      const timestampWrites = {
        querySet,
        beginningOfPassWriteIndex: 0,
        endOfPassWriteIndex: 1,
      };
      encode(encoder.beginComputePass({ timestampWrites }));
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, STAMP_BYTES);
    };
    try {
      return await reading.run('tuning', STAMP_BYTES, encodeTimed, (content) => {
        const [begin, end] = new BigUint64Array(content, 0, 2);
        return Number(end - begin) / 1e6;
      });
    } finally {
      querySet.destroy();
    }
  });
}

/** The size of two 64-bit timestamps. */
const STAMP_BYTES = 16;
const QUERY_RESOLVE = 0x200;

/** Rounds values to the precision of the element type. */
export const rounded = (values: Float32Array<ArrayBuffer>, element: ElementType): Float32Array => {
  const copy = encodeElements(values, element).slice();
  return decodeElements(copy.buffer, element);
};

/**
 * Returns pseudorandom values in -1..1 that are the same for every call with the same arguments.
 */
export function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed * 2654435761;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [most, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    most = Math.max(most, difference); // NaN if any difference is NaN.
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return most / largest;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
