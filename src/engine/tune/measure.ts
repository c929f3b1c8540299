import { throwIfAborted } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import {
  type ElementType,
  TILE_COLUMNS,
  type TileColumns,
  tileColumnsFor,
} from '../../kernels/kernel.ts';
import { a2n } from '../../networks/a2n.ts';
import { elementCount, type Tensor } from '../../weights/tensor.ts';
import type { Fusion } from '../compile/fuse.ts';
import { Engine } from '../engine.ts';
import { Device } from '../gpu/device.ts';
import type { AdapterReport } from '../types.ts';
import {
  LAYERS,
  type Measurement,
  makeLayer,
  measureConv,
  median,
  noise,
  relativeDifference,
} from './layers.ts';
import {
  type Choice,
  CONV_VARIANTS,
  type ConvMethod,
  convFor,
  familyOf,
  type MethodChoice,
  tuningOf,
  VARIANT_NAMES,
} from './tuning.ts';

export interface TuneOptions {
  /** The sizes of the input images and maps to measure with, in pixels. */
  readonly sizes: readonly Size[];
  readonly repeats: number;
  /**
   * The fusion levels to compare on a small A2N network. The level `blocks` is measured with tiles
   * of 8 columns, and also with tiles of 16 columns if they fit the device's workgroup limits. If
   * the list is empty, only convolutions are measured.
   */
  readonly fusions: readonly Fusion[];
  readonly signal?: AbortSignal | undefined;
  readonly onMeasurement?: (measurement: Measurement) => void;
}

export interface TuneResult {
  readonly adapter: AdapterReport;
  /** How convolutions were timed: with GPU timestamps, or from submission to completion. */
  readonly clock: 'timestamps' | 'wall';
  readonly measurements: readonly Measurement[];
  readonly family: string;
  readonly best: Choice;
}

/** The number of channels in A2N's trunk. */
const A2N_FEATURES = 40;

/**
 * Measures the convolution variants, and a small A2N network at each fusion level, on the adapter
 * that `gpu` provides. A variant that gives a wrong result is never chosen.
 * @throws CrispenError `NO_WEBGPU`, `DEVICE_LOST`, `ABORTED`.
 */
export async function tune(gpu: GPU, options: TuneOptions): Promise<TuneResult> {
  const device = await Device.open(gpu);
  const { adapter, elements } = device;
  const clock = device.gpu.features.has('timestamp-query') ? 'timestamps' : 'wall';
  const measurements: Measurement[] = [];
  const add = (measurement: Measurement) => {
    measurements.push(measurement);
    options.onMeasurement?.(measurement);
  };
  const offered = VARIANT_NAMES.filter((method) => CONV_VARIANTS[method].offered(adapter));
  try {
    for (const size of options.sizes) {
      for (const [spec, element] of LAYERS.flatMap((spec) =>
        elements.map((e) => [spec, e] as const),
      )) {
        const layer = makeLayer(spec, size, element);
        for (const method of offered) {
          throwIfAborted(options.signal);
          const variant = (await convFor(method, adapter))(spec);
          if ((variant.only ?? element) !== element) continue;
          add(await measureConv(device, variant, method, layer, options.repeats));
        }
      }
    }
  } finally {
    device.destroy();
  }
  const { family, half, fuse, tileColumns } = familyOf(adapter);
  const usual = { fuse, tileColumns };
  // If tiles of 16 columns do not fit the device's workgroup limits, the engine uses tiles of 8
  // columns instead, so only those are measured.
  const room = tileColumnsFor(A2N_FEATURES, device.workgroup) ?? 8;
  const choose = async (
    element: ElementType,
    otherwise: Omit<MethodChoice, 'conv'>,
  ): Promise<MethodChoice> => {
    const own = () => measurements.filter((measurement) => measurement.element === element);
    const exact = VARIANT_NAMES.filter((method) => !CONV_VARIANTS[method].isRough);
    const fastestConv = fastest(own(), exact) ?? 'plain';
    // If a quad variant is fastest, `quad` is used, which chooses the number of blocks per layer.
    const conv: ConvMethod = fastestConv.startsWith('quad') ? 'quad' : fastestConv;
    const candidates = options.fusions.flatMap((fuse) =>
      TILE_COLUMNS.filter((wide) => (fuse === 'blocks' ? wide <= room : wide === 8)).map(
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
    ...(await choose('f32', usual)),
    ...(elements.includes('f16') && { half: await choose('f16', half ?? usual) }),
  };
  return { adapter, clock, measurements, family, best };
}

/** A choice of methods to measure, and its name in the list of measurements. */
type Candidate = readonly [name: string, choice: MethodChoice];

const levelName = (fuse: Fusion, tileColumns: TileColumns): string =>
  fuse === 'blocks' ? `${fuse} ${tileColumns}` : fuse;

/**
 * Returns the variant with the shortest total time among those whose results were all correct.
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

interface Contest {
  readonly adapter: AdapterReport;
  readonly element: ElementType;
  readonly candidates: readonly Candidate[];
  readonly size: Size;
}

/**
 * Measures a small A2N network with each candidate. The first candidate's result is the reference
 * with which all other results are compared.
 */
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
      const fanIn = elementCount(shape.slice(1));
      const values = noise(elementCount(shape), i + 1);
      const scaled = values.map((value) => value / Math.sqrt(fanIn));
      return [name, { dtype: 'f32', shape, bytes: new Uint8Array(scaled.buffer) }];
    }),
  );
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  const image = { width, height, data };
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
      const upscale = () => engine.upscale(model, image, { signal });
      const made = (await upscale()).image.data;
      expected ??= made;
      const difference = relativeDifference(made, expected);
      // The candidates round intermediate values differently, so correct 8-bit results can differ
      // by one level.
      const sound = difference <= 1.01 / 255;
      const times: number[] = [];
      for (let i = 0; sound && i < repeats; i++) {
        times.push((await upscale()).report.milliseconds);
      }
      const milliseconds = sound ? median(times) : null;
      add({ ...head, compileMs, milliseconds, difference, error: sound ? null : 'wrong result' });
    } finally {
      engine.destroy();
    }
  }
}
