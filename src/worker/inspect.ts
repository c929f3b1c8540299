/** Computes a network's attention values for an image. This module is loaded lazily. */
import {
  attentionBytes,
  attentionInput,
  attentionTaps,
  readAttention,
} from '../engine/oracle/attention.ts';
import { findTaps, type PlanarInput } from '../engine/oracle/trace.ts';
import { ProgressMeter } from '../engine/progress.ts';
import type { RunOptions, TracedTensor } from '../engine/types.ts';
import { throwIfAborted } from '../errors.ts';
import { pixelsOf, type Size } from '../geometry.ts';
import type { Rgba8Image } from '../image/image.ts';
import { toRgba8 } from '../image/pixels.ts';
import { Reduction } from '../image/reduce.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { CpuHost } from './cpu.ts';
import { findAdapter, type JobServices, readPart } from './job.ts';
import type { JobProgress } from './progress.ts';
import type { AttentionInspection, InspectPlan, Stage, WireSource } from './protocol.ts';

/** The maximum total size, in bytes, of the tensors that a run may keep. */
const MOST_BYTES = 2 ** 28;

/** @throws CrispenError like `Upscaler.upscale`; `INVALID_INPUT` for a region outside the image */
export async function inspect(
  services: JobServices,
  track: (stages: readonly Stage[]) => JobProgress,
  source: WireSource,
  plan: InspectPlan,
  signal: AbortSignal,
): Promise<AttentionInspection> {
  const { host, loader, cpu } = services;
  const runnable = await loader.find(plan.model);
  const { adapter } = await findAdapter(services);
  const progress = track(['decode', 'download', 'upscale']);
  progress.report('decode', 0);
  const { image: decoded } = await readPart(source, { ...plan, output: 'bitmap' }, signal);
  const part = toRgba8(decoded);
  const region = plan.region ?? { x: 0, y: 0, width: part.width, height: part.height };
  const { network, weights } = await loader.weights(runnable, progress, signal);
  throwIfAborted(signal);

  const reduction = smallestReduction(
    part,
    (size) => pixelsOf(size) <= plan.maxPixels && attentionBytes(network, size) <= MOST_BYTES,
  );
  const image = reduce(part, reduction);
  const input = attentionInput(network, image);
  const taps = attentionTaps(network);
  const options: RunOptions = {
    signal,
    onProgress: ({ fraction, remainingMs }) => progress.report('upscale', fraction, remainingMs),
  };
  progress.report('upscale', 0);
  const started = performance.now();
  const run = async () => {
    if (!adapter) return traceWithoutGpu(await cpu(), network, weights, input, taps, options);
    const { trace } = await import('../engine/oracle/traceNetwork.ts');
    return host.retry(
      (engine) => trace(engine, network, weights, input, taps, { ...options, precision: 'f32' }),
      signal,
    );
  };
  // If the network has no attention, nothing is computed.
  const traced = taps.length > 0 ? await run() : new Map();
  throwIfAborted(signal);
  const milliseconds = performance.now() - started;
  const attention = readAttention(network, traced, image);
  progress.report('upscale', 1, 0);
  return {
    ...attention,
    model: runnable.id,
    architecture: network.architecture,
    scale: network.scale,
    backend: adapter ? 'webgpu' : 'cpu',
    width: image.width,
    height: image.height,
    region,
    reduction,
    milliseconds,
  };
}

/** Runs a network once on the CPU and returns the tensors that are named in `taps`. */
async function traceWithoutGpu(
  cpu: CpuHost,
  network: Network,
  weights: TensorMap,
  input: PlanarInput,
  taps: readonly string[],
  options: RunOptions,
): Promise<Map<string, TracedTensor>> {
  const keep = findTaps(network.graph, taps);
  const model = await cpu.model(network, weights, { keep, exact: true });
  if (model === null) {
    const { interpret } = await import('../engine/oracle/interpreter.ts');
    return interpret(network, weights, input, taps, options);
  }
  const { traceOnCpu } = await import('../cpu/trace.ts');
  const meter = new ProgressMeter(model.work(), options.onProgress);
  const onWork = (work: number) => meter.advance(work);
  return traceOnCpu(model, input, taps, { signal: options.signal, onWork });
}

/** Returns an inspection's buffers, which are transferred to the page. */
export function buffersOf({ blocks, clusters, keys }: AttentionInspection): Transferable[] {
  const arrays = [
    ...blocks.flatMap(({ attention, enhanced, suppressed, channelFactors }) => [
      attention?.data,
      enhanced?.data,
      suppressed?.data,
      channelFactors,
    ]),
    ...clusters.flatMap(({ codes, neighbours, weights }) => [codes, neighbours, weights]),
    ...keys.flatMap(({ weights, offsets, gates }) => [weights, offsets, gates]),
  ];
  return [...new Set(arrays.flatMap((array) => (array ? [array.buffer] : [])))];
}

const reducedSize = ({ width, height }: Size, factor: number): Size => ({
  width: Math.ceil(width / factor),
  height: Math.ceil(height / factor),
});

/**
 * Returns the smallest whole factor that reduces an image to a size accepted by `fits`. If no size
 * is accepted, the factor reduces the image to a single pixel.
 */
function smallestReduction(image: Size, fits: (size: Size) => boolean): number {
  let factor = 1;
  const longest = Math.max(image.width, image.height);
  while (factor < longest && !fits(reducedSize(image, factor))) factor++;
  return factor;
}

function reduce(image: Rgba8Image, factor: number): Rgba8Image {
  if (factor === 1) return image;
  const { width, height, data } = image;
  // The `Reduction` constructor divides the longest side by its last argument and rounds the
  // quotient up. Here, the quotient is about `factor - 0.5`, which always rounds up to `factor`.
  const reduction = new Reduction(width, height, Math.max(width, height) / (factor - 0.5));
  reduction.take(data);
  return reduction.image;
}
