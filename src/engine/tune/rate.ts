/** How long a network takes on a GPU, estimated before it runs. */
import type { Size } from '../../geometry.ts';
import { multiplyAddsPerPixel } from '../../graph/analysis.ts';
import type { ElementType } from '../../kernels/kernel.ts';
import type { Network } from '../../networks/network.ts';
import type { EngineParts } from '../engine.ts';
import type { Device } from '../gpu/device.ts';

/** Pixels of a side of the timed map. */
const SIDE = 128;
/** Browsers round timestamps to 0.1 ms, and without them a wait for the GPU counts. */
const SAMPLE_MS = 12;
const LEAST_MS = 0.02;
const MOST_RUNS = 64;

/**
 * How many times as long A2N takes as the same multiply-adds in 3x3 convolutions: 1.14 to 1.35 on an NVIDIA
 * H200, by kernel. 1x1 layers are slower, and pixels are uploaded and read back.
 */
const REST = 1.4;

/** Multiply-adds per millisecond. */
const rates = new WeakMap<Device, Partial<Record<ElementType, number>>>();

/**
 * Milliseconds of a network for an LR image, without compiling and encoding. On a GPU, a 3x3 convolution of 40
 * channels, on which A2N spends most of its time, is timed once per device and precision, in some 30 ms of GPU
 * time; networks use its pipeline too. A software adapter, where that would take long, counts as fast as its
 * last job was, and before the first one as fast as a CPU usually is.
 * @throws CrispenError `DEVICE_LOST`, `OUT_OF_MEMORY`
 */
export async function estimateOnGpu(
  { device, tuning, pace }: EngineParts,
  { graph }: Network,
  { width, height }: Size,
  element: ElementType,
): Promise<number> {
  const work = multiplyAddsPerPixel(graph) * width * height;
  if (device.adapter.isFallbackAdapter) return work / pace.withTarget(() => 1).submissionWork();
  const known = rates.get(device) ?? {};
  rates.set(device, known);
  known[element] ??= await measureRate(device, tuning, element);
  return (REST * work) / known[element];
}

/**
 * Multiply-adds per millisecond in a 3x3 convolution of 40 channels.
 * @param side of the timed map, in pixels
 * @throws CrispenError `DEVICE_LOST`, `OUT_OF_MEMORY`
 */
export async function measureRate(
  device: Device,
  tuning: EngineParts['tuning'],
  element: ElementType,
  side = SIDE,
): Promise<number> {
  const { LAYERS, makeLayer, withLayer } = await import('./layers.ts');
  const [trunk] = LAYERS;
  const layer = makeLayer(trunk, { width: side, height: side }, element, false);
  const { conv } = (element === 'f16' && tuning.half) || tuning;
  return withLayer(device, conv(trunk), layer, async ({ time }) => {
    // The first run also uploads.
    await time();
    const once = Math.max(LEAST_MS, await time());
    const runs = Math.min(MOST_RUNS, Math.ceil(SAMPLE_MS / once));
    const milliseconds = Math.max(LEAST_MS, await time(runs)) / runs;
    return (side ** 2 * trunk.kernel ** 2 * trunk.cIn * trunk.cOut) / milliseconds;
  });
}
