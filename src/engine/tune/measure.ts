import { CrispenError, throwIfAborted } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { convReference } from '../../kernels/conv/conv.reference.ts';
import {
  type ConvSpec,
  type ConvVariant,
  convParams,
  packBias,
  packConvWeights,
} from '../../kernels/conv/conv.ts';
import {
  blocksOf,
  ELEMENT_BYTES,
  type ElementType,
  TILE_COLUMNS,
  type TileColumns,
  tileColumnsFor,
} from '../../kernels/kernel.ts';
import { nearestReference } from '../../kernels/maps/enlarge.reference.ts';
import { fromBlocked, type PlanarMap, planarMap, toBlocked } from '../../kernels/planar.ts';
import { a2n } from '../../networks/a2n.ts';
import type { Tensor } from '../../weights/tensor.ts';
import type { Fusion } from '../compile/fuse.ts';
import { Engine } from '../engine.ts';
import { bindKernel, uniformUsage } from '../gpu/bound.ts';
import { type Buffers, withBuffers } from '../gpu/buffers.ts';
import { Device, PARAM_BYTES, USAGE } from '../gpu/device.ts';
import { decodeElements, encodeElements } from '../gpu/element.ts';
import { Reading } from '../gpu/reading.ts';
import type { AdapterReport } from '../types.ts';
import {
  type Choice,
  CONV_VARIANTS,
  type ConvMethod,
  familyOf,
  type MethodChoice,
  tuningOf,
} from './tuning.ts';

/**
 * A variant of a kernel at a size. It was checked against the plain reference before it was timed.
 */
export interface Measurement {
  readonly kernel: string;
  readonly variant: string;
  /** Element type of maps and weights. */
  readonly element: ElementType;
  readonly width: number;
  readonly height: number;
  /** Median of the repeats; null if the result was wrong or the device refused. */
  readonly milliseconds: number | null;
  readonly compileMs: number;
  /** Largest difference from the reference, relative to its largest value. */
  readonly difference: number | null;
  readonly error: string | null;
}

export interface TuneOptions {
  /** In LR pixels. */
  readonly sizes: readonly Size[];
  readonly repeats: number;
  /** Levels to compare on a small A2N, `blocks` with both tiles; empty: only convolutions. */
  readonly fusions: readonly Fusion[];
  readonly signal?: AbortSignal | undefined;
  readonly onMeasurement?: (measurement: Measurement) => void;
}

export interface TuneResult {
  readonly adapter: AdapterReport;
  /** The clock: on the GPU, or from submission to completion. */
  readonly clock: 'timestamps' | 'wall';
  readonly measurements: readonly Measurement[];
  readonly family: string;
  readonly best: Choice;
}

/** Channels of A2N's trunk. */
const A2N_FEATURES = 40;
const plain = { act0: null, multiply: false, add: false, factor: 1, act1: null } as const;
/** A2N's layers, weighted by their work: trunk, squeeze, upsampler. */
const LAYERS: readonly ConvSpec[] = [
  { ...plain, kernel: 3, cIn: 40, cOut: 40, upsample: 1 },
  { ...plain, kernel: 1, cIn: 40, cOut: 40, upsample: 1 },
  { ...plain, kernel: 3, cIn: 40, cOut: 24, upsample: 2 },
];
const METHODS = Object.keys(CONV_VARIANTS) as (keyof typeof CONV_VARIANTS)[];
/** Allowed difference relative to the largest value. */
const TOLERANCE: Readonly<Record<ElementType, number>> = { f32: 1e-4, f16: 1e-3 };

/**
 * Measures the variants of the convolutions, and a small A2N at each fusion level, on this adapter.
 * A variant with a wrong result never wins.
 * @throws CrispenError `NO_WEBGPU`, `DEVICE_LOST`, `ABORTED`.
 */
export async function tune(gpu: GPU, options: TuneOptions): Promise<TuneResult> {
  const device = await Device.open(gpu);
  const { adapter } = device;
  const clock = device.gpu.features.has('timestamp-query') ? 'timestamps' : 'wall';
  const measurements: Measurement[] = [];
  const add = (measurement: Measurement) => {
    measurements.push(measurement);
    options.onMeasurement?.(measurement);
  };
  const elements: readonly ElementType[] = device.hasF16 ? ['f32', 'f16'] : ['f32'];
  const offered = METHODS.filter((method) => CONV_VARIANTS[method].offered(adapter));
  try {
    for (const size of options.sizes) {
      for (const [spec, element] of LAYERS.flatMap((spec) =>
        elements.map((e) => [spec, e] as const),
      )) {
        const layer = makeLayer(spec, size, element);
        for (const method of offered) {
          throwIfAborted(options.signal);
          const { conv } = await tuningOf({ conv: method, fuse: 'ops', tileColumns: 8 }, adapter);
          const variant = conv(spec);
          if ((variant.only ?? element) !== element) continue;
          add(await measureConv(device, variant, method, layer, options.repeats));
        }
      }
    }
  } finally {
    device.destroy();
  }
  const { family, fuse, tileColumns, half } = familyOf(adapter);
  // Without room for the large tile, both ran with the same one.
  const room = tileColumnsFor(A2N_FEATURES, device.workgroup) ?? 8;
  const choose = async (element: ElementType, otherwise: MethodChoice): Promise<MethodChoice> => {
    const own = () => measurements.filter((measurement) => measurement.element === element);
    const fastestConv = fastest(own(), METHODS) ?? 'plain';
    // The layer decides between the two: fewest idle blocks.
    const conv: ConvMethod = fastestConv.startsWith('quad') ? 'quad' : fastestConv;
    const candidates = options.fusions.flatMap((fuse) =>
      TILE_COLUMNS.filter((rows) => (fuse === 'blocks' ? rows <= room : rows === 8)).map(
        (tileColumns): Candidate => [levelName(fuse, tileColumns), { fuse, conv, tileColumns }],
      ),
    );
    for (const size of options.sizes) {
      await measureFusions(gpu, { adapter, element, candidates, size }, options, add);
    }
    const winner = fastest(
      own(),
      candidates.map(([name]) => name),
    );
    return candidates.find(([name]) => name === winner)?.[1] ?? { ...otherwise, conv };
  };
  const best: Choice = {
    ...(await choose('f32', { fuse, tileColumns, conv: 'plain' })),
    ...(device.hasF16 && {
      half: await choose('f16', half ?? { fuse, tileColumns, conv: 'plain' }),
    }),
  };
  return { adapter, clock, measurements, family, best };
}

/** A choice with the name of its measurements. */
type Candidate = readonly [name: string, choice: MethodChoice];

const levelName = (fuse: Fusion, tileColumns: TileColumns): string =>
  fuse === 'blocks' ? `${fuse} ${tileColumns}` : fuse;

/**
 * The variant with the shortest total time over all kernels that every variant computed correctly.
 */
function fastest<T extends string>(
  measurements: readonly Measurement[],
  variants: readonly T[],
): T | null {
  let best: { variant: T; total: number } | null = null;
  for (const variant of variants) {
    const own = measurements.filter((measurement) => measurement.variant === variant);
    if (own.length === 0 || own.some(({ milliseconds }) => milliseconds === null)) continue;
    const total = own.reduce((sum, { milliseconds }) => sum + (milliseconds ?? 0), 0);
    if (!best || total < best.total) best = { variant, total };
  }
  return best?.variant ?? null;
}

/** A stored choice; null if it is invalid. */
export function choiceOf(
  value: { readonly [Name in keyof Choice]?: unknown } | null,
): Choice | null {
  const own = methodsOf(value);
  if (!own || value?.half === undefined) return own;
  const half = methodsOf(value.half as Parameters<typeof methodsOf>[0]);
  return half && { ...own, half };
}

function methodsOf(
  value: { readonly [Name in keyof MethodChoice]?: unknown } | null,
): MethodChoice | null {
  const fuse = (['none', 'ops', 'blocks'] as const).find((name) => name === value?.fuse);
  const conv = ([...METHODS, 'quad'] as const).find((name) => name === value?.conv);
  const tileColumns = TILE_COLUMNS.find((rows) => rows === value?.tileColumns);
  return fuse && conv && tileColumns ? { fuse, conv, tileColumns } : null;
}

interface Layer {
  readonly spec: ConvSpec;
  readonly element: ElementType;
  /** Of the output. */
  readonly width: number;
  readonly height: number;
  readonly x: PlanarMap;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly expected: PlanarMap;
}

function makeLayer(spec: ConvSpec, { width, height }: Size, element: ElementType): Layer {
  const { cIn, cOut, kernel, upsample } = spec;
  const stored = (length: number, seed: number) => rounded(noise(length, seed), element);
  const x = planarMap(cIn, height, width);
  x.data.set(stored(x.data.length, 1));
  const weights = stored(cOut * cIn * kernel ** 2, 2);
  const bias = stored(cOut, 3);
  const expected = convReference(nearestReference(x, upsample), weights, bias, cOut, kernel);
  return {
    spec,
    element,
    width: width * upsample,
    height: height * upsample,
    x,
    weights,
    bias,
    expected,
  };
}

async function measureConv(
  device: Device,
  variant: ConvVariant,
  name: string,
  layer: Layer,
  repeats: number,
): Promise<Measurement> {
  const { spec, element, width, height, x, expected } = layer;
  const { cIn, cOut, kernel, upsample } = spec;
  const label = `conv${kernel}x${kernel} ${cIn}->${cOut}${upsample > 1 ? ` x${upsample}` : ''}`;
  const head = { kernel: label, variant: name, element, width, height };
  const started = performance.now();
  const run = async (buffers: Buffers): Promise<Measurement> => {
    const kernelOf = variant.kernel(spec, element);
    const pipeline = await device.compile(kernelOf);
    const compileMs = performance.now() - started;
    const { STORAGE, COPY_DST, COPY_SRC } = USAGE;
    const packed = packConvWeights(layer.weights, cOut, cIn, kernel);
    const outBytes = blocksOf(cOut) * width * height * 4 * ELEMENT_BYTES[element];
    const made = await buffers.allocate('tuning', (make) => {
      const stored = (content: Float32Array<ArrayBuffer>) => {
        const encoded = encodeElements(content, element);
        const buffer = make('tuning', encoded.byteLength, STORAGE | COPY_DST);
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
    const bound = bindKernel(device, kernelOf, pipeline, made.uniform, {
      x: made.x,
      weights: made.weights,
      bias: made.bias,
      multiplier: made.x,
      addend: made.x,
      y: made.y,
    });
    bound.set(convParams(spec, width, height));
    const encode = (pass: GPUComputePassEncoder) => {
      bound.dispatch(pass, variant.grid(spec, width, height));
      pass.end();
    };
    const reading = await Reading.create(buffers, outBytes);
    const encodeOnce = (encoder: GPUCommandEncoder, staging: GPUBuffer) => {
      encode(encoder.beginComputePass());
      encoder.copyBufferToBuffer(made.y, 0, staging, 0, outBytes);
    };
    const content = await reading.run('tuning', outBytes, encodeOnce, (bytes) =>
      decodeElements(bytes.slice(0, outBytes), element),
    );
    const difference = relativeDifference(
      fromBlocked(content, cOut, height, width).data,
      expected.data,
    );
    if (!(difference <= TOLERANCE[element])) {
      return { ...head, compileMs, milliseconds: null, difference, error: 'wrong result' };
    }
    const times: number[] = [];
    for (let i = 0; i < repeats; i++) times.push(await timePass(device, encode));
    return { ...head, compileMs, milliseconds: median(times), difference, error: null };
  };
  try {
    return await withBuffers(device, run);
  } catch (thrown) {
    device.throwIfLost();
    const { message } = CrispenError.from(thrown);
    const compileMs = performance.now() - started;
    return { ...head, compileMs, milliseconds: null, difference: null, error: message };
  }
}

/**
 * Milliseconds of a pass, by timestamp queries if the GPU has them, otherwise from submission to
 * completion.
 * @param encode also ends the pass
 */
export async function timePass(
  device: Device,
  encode: (pass: GPUComputePassEncoder) => void,
): Promise<number> {
  const { gpu } = device;
  const hasStamps = gpu.features.has('timestamp-query');
  let querySet: GPUQuerySet | null = null;
  const measure = async (buffers: Buffers): Promise<number> => {
    const reading = await Reading.create(buffers, STAMP_BYTES);
    if (!hasStamps) {
      const started = performance.now();
      await reading.run(
        'tuning',
        0,
        (encoder) => encode(encoder.beginComputePass()),
        () => {},
      );
      return performance.now() - started;
    }
    const made = await buffers.allocate('tuning', (make) => ({
      queries: gpu.createQuerySet({ type: 'timestamp', count: 2 }),
      resolved: make('stamps', STAMP_BYTES, QUERY_RESOLVE | USAGE.COPY_SRC),
    }));
    querySet = made.queries;
    const encodeTimed = (encoder: GPUCommandEncoder, staging: GPUBuffer) => {
      const [begin, end] = [0, 1];
      const timestampWrites = {
        querySet: made.queries,
        beginningOfPassWriteIndex: begin,
        endOfPassWriteIndex: end,
      };
      encode(encoder.beginComputePass({ timestampWrites }));
      encoder.resolveQuerySet(made.queries, 0, 2, made.resolved, 0);
      encoder.copyBufferToBuffer(made.resolved, 0, staging, 0, STAMP_BYTES);
    };
    return reading.run('tuning', STAMP_BYTES, encodeTimed, (content) => {
      const [begin, end] = new BigUint64Array(content.slice(0, STAMP_BYTES));
      return Number(end - begin) / 1e6;
    });
  };
  try {
    return await withBuffers(device, measure);
  } finally {
    (querySet as GPUQuerySet | null)?.destroy();
  }
}

/** Two times of 64 bits. */
const STAMP_BYTES = 16;
const QUERY_RESOLVE = 0x200;

interface Contest {
  readonly adapter: AdapterReport;
  readonly element: ElementType;
  readonly candidates: readonly Candidate[];
  readonly size: Size;
}

/** A small A2N, run with each choice. The first is the reference of the others. */
async function measureFusions(
  gpu: GPU,
  { adapter, element, candidates, size }: Contest,
  { repeats, signal }: TuneOptions,
  add: (measurement: Measurement) => void,
): Promise<void> {
  const { width, height } = size;
  const network = a2n({ scale: 2, blocks: 2 });
  const weights = new Map(
    network.graph.weights.map(({ name, shape }, i): [string, Tensor] => {
      const fanIn = shape.slice(1).reduce((product, side) => product * side, 1);
      const values = noise(
        shape.reduce((product, side) => product * side, 1),
        i + 1,
      );
      const scaled = values.map((value) => value / Math.sqrt(fanIn));
      return [name, { dtype: 'f32', shape, bytes: new Uint8Array(scaled.buffer) }];
    }),
  );
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  noise(data.length, 9).forEach((value, i) => {
    if (i % 4 < 3) data[i] = 128 + 100 * value;
  });
  let expected: Uint8ClampedArray | null = null;
  for (const [variant, choice] of candidates) {
    throwIfAborted(signal);
    const head = { kernel: 'A2N of 2 blocks', variant, element, width, height };
    const engine = await Engine.create({ gpu, tuning: await tuningOf(choice, adapter) });
    try {
      const started = performance.now();
      const model = await engine.loadModel(network, weights, { precision: element });
      const compileMs = performance.now() - started;
      const { image } = await engine.upscale(model, { width, height, data }, { signal });
      expected ??= image.data;
      const difference = relativeDifference(image.data, expected);
      // One level of 255, where rounding differs.
      const sound = difference <= 1.01 / 255;
      const times: number[] = [];
      for (let i = 0; sound && i < repeats; i++) {
        times.push(
          (await engine.upscale(model, { width, height, data }, { signal })).report.milliseconds,
        );
      }
      const milliseconds = sound ? median(times) : null;
      add({ ...head, compileMs, milliseconds, difference, error: sound ? null : 'wrong result' });
    } finally {
      engine.destroy();
    }
  }
}

/** The values as rounded by the element type. */
const rounded = (values: Float32Array<ArrayBuffer>, element: ElementType): Float32Array => {
  const { buffer, byteOffset, byteLength } = encodeElements(values, element);
  return decodeElements(buffer.slice(byteOffset, byteOffset + byteLength), element);
};

/** Values in -1..1, identical at every call. */
function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed * 2654435761;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [most, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= most)) most = difference; // NaN stays
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return most / largest;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
