import { pixelFormats } from '../engine/oracle/trace.ts';
import { ProgressMeter } from '../engine/progress.ts';
import {
  type AveragedTiles,
  averagedTiles,
  checkEdge,
  meanOfTiles,
} from '../engine/tile/average.ts';
import type {
  Strip,
  StripSink,
  TracedTensor,
  UpscaleOptions,
  UpscaleReport,
} from '../engine/types.ts';
import { nonFinite, throwIfAborted } from '../errors.ts';
import { pixelsOf } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';
import { packRgba8Steps, unpackRgba8Steps } from '../kernels/pixels/rgba8.reference.ts';
import type { PlanarMap } from '../kernels/planar.ts';
import { paced, timerPause } from '../kernels/steps.ts';
import type { CpuModel } from './model.ts';
import { traceOnCpu } from './trace.ts';

/**
 * Upscales an image with a network that runs on overlapping tiles. Where the tiles overlap, their
 * results are averaged. The sink receives the whole result as a single strip.
 */
export async function upscaleAveraged(
  model: CpuModel,
  image: RgbaImage,
  { signal, onProgress, edge, tiles }: UpscaleOptions & { readonly tiles: AveragedTiles },
  sink: StripSink,
): Promise<UpscaleReport> {
  const started = performance.now();
  const { network } = model;
  checkEdge(edge);
  const formats = pixelFormats(network);
  const pause = timerPause(() => throwIfAborted(signal));
  const lr = await paced(unpackRgba8Steps(image, formats.input), pause);
  const rects = averagedTiles(image, tiles);
  const work = rects.reduce((sum, rect) => sum + pixelsOf(rect), 0) * model.work();
  const meter = new ProgressMeter(work, onProgress);
  const onWork = (done: number) => meter.advance(done);
  const run = async (tile: PlanarMap): Promise<PlanarMap> => {
    const { name } = network.graph.nodes[network.graph.output];
    const traced = await traceOnCpu(model, tile, [name], { signal, onWork });
    const { shape, data } = traced.get(name) as TracedTensor;
    const [channels, height, width] = shape;
    return { channels, height, width, data: data as Float32Array<ArrayBuffer> };
  };
  const sr = await meanOfTiles(lr, tiles, network.scale, run, pause);
  const { data, finite } = await paced(packRgba8Steps(sr, image, formats.output), pause);
  if (!finite) throw nonFinite();
  await sink({ width: sr.width, height: sr.height, data, y: 0 } as Strip);
  meter.finish();
  const [{ width, height }] = rects;
  return {
    ...model.report,
    milliseconds: performance.now() - started,
    tiles: rects.length,
    tileSize: [width, height],
    statistics: 'exact',
    approximate: false,
  };
}
